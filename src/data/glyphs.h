// Drawn pictures: ten shapes with jitter, for a demonstration that needs real files but no download.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace tenure::data {

inline constexpr int kGlyphClasses = 10, kGlyphSide = 28;
/// Class names in label order (alphabetical, so folders sort the same).
inline constexpr std::string_view kGlyphNames[kGlyphClasses] = {"arrow", "circle", "cross", "diamond", "moon",
                                                                "ring",  "square", "star",  "stripes", "triangle"};

/// Draws picture `index` of a seed: its class is index modulo 10; it depends on nothing else.
void draw_glyph(uint64_t seed, int64_t index, std::span<uint8_t, kGlyphSide * kGlyphSide> pixels);

}  // namespace tenure::data
