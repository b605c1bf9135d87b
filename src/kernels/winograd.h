// Convolutions of 3x3 windows by the minimal algorithm F(2x2, 3x3): A. Lavin, S. Gray, Fast Algorithms for Convolutional Neural Networks, 2015.
// Four outputs of a channel cost 16 products in place of 36. Internal to kernels.
#pragma once

#include <cstdint>

#include "kernels/dnn.h"

namespace tenure::kernels {

/// A row of tiles of 2x2 outputs, for one image.
struct WinogradRow {
  int64_t h, w, c;        ///< of the image
  int64_t top, left;      ///< first pixel of the first tile's 4x4 window; may be negative
  int64_t tiles;          ///< in the row
  const float* zeros;     ///< c of them, for what lies outside of the image
  int64_t matrix_stride;  ///< elements from one of the 16 matrices to the next
};
/// matrices[m][tile][c] = (B^T d B)[m] of every tile's window d, for x [h, w, c].
void winograd_input(const float* x, const WinogradRow& row, float* matrices) noexcept;

/// The 2x2 outputs of a row of tiles from the products m[16][tiles][cols] of some of the output's channels.
struct WinogradOutput {
  int64_t tiles, cols, matrix_stride;
  int64_t rows, width;   ///< outputs that exist: 1 or 2 rows of `width` pixels
  int64_t pixel, line;   ///< elements of y from one pixel and one row to the next
  const float* bias;     ///< null for none
  bool sum;              ///< adds what y holds
  float floor, ceiling;  ///< of the result; infinite for none
};
void winograd_output(const float* m, const WinogradOutput& o, float* y) noexcept;

/// Whether `d` is of this kind, with channels that fill vectors.
bool winograd_fits(const ConvDesc& d) noexcept;
/// `plain` does what has no packed weights.
std::shared_ptr<const Conv> make_winograd_conv(const ConvDesc& d, int threads, std::shared_ptr<const Conv> plain);

}  // namespace tenure::kernels
