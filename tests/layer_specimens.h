// Specimens of the layers' conformance test, by class.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <tenure/tenure.h>

namespace tenure::specimens {

struct Specimen {
  std::string config;        // JSON, without name, trainable and dtype
  std::vector<Spec> inputs;  // integers are drawn from 0 to 4
};
using Table = std::map<std::string, std::vector<Specimen>>;

inline const Spec kImage{{2, 6, 5, 4}, float32}, kMatrix{{3, 4}, float32}, kSeries{{2, 5, 4}, float32}, kVolume{{2, 4, 3, 5, 2}, float32};

// Layers of images, series and volumes.
inline void add_vision(Table& t) {
  t["Dot"] = {{R"({"axes": 1})", {kMatrix, kMatrix}}, {R"({"axes": [2, 1], "normalize": true})", {kSeries, {{2, 4, 3}, float32}}}};
  t["RepeatVector"] = {{R"({"n": 3})", {kMatrix}}};
  t["Cropping1D"] = {{"{}", {kSeries}}, {R"({"cropping": [0, 2]})", {kSeries}}};
  t["Cropping2D"] = {{R"({"cropping": [1, 1]})", {kImage}}, {R"({"cropping": [[1, 0], [0, 2]], "data_format": "channels_first"})", {kImage}}};
  t["Cropping3D"] = {{"{}", {kVolume}}, {R"({"cropping": [[1, 0], [0, 2], [1, 0]], "data_format": "channels_first"})", {{{2, 2, 4, 3, 5}, float32}}}};
  t["ZeroPadding1D"] = {{"{}", {kSeries}}, {R"({"padding": [0, 2], "data_format": "channels_first"})", {kSeries}}};
  t["ZeroPadding3D"] = {{"{}", {kVolume}}, {R"({"padding": [1, 0, 2]})", {kVolume}}};
  t["UpSampling1D"] = {{"{}", {kSeries}}};
  t["UpSampling2D"] = {{"{}", {kImage}}, {R"({"size": [1, 2], "interpolation": "bilinear", "data_format": "channels_first"})", {kImage}}};
  t["UpSampling3D"] = {{"{}", {kVolume}}, {R"({"size": [1, 2, 1], "data_format": "channels_first"})", {kVolume}}};
  t["ActivityRegularization"] = {{R"({"l1": 0.01, "l2": 0.02})", {kMatrix}}};
  t["GaussianNoise"] = {{R"({"stddev": 0.1, "seed": 3})", {kMatrix}}};
  t["GaussianDropout"] = {{R"({"rate": 0.2})", {kMatrix}}};
  t["AlphaDropout"] = {{R"({"rate": 0.2, "seed": 5})", {kMatrix}}, {R"({"rate": 0.2, "noise_shape": [null, 1, 4]})", {kSeries}}};
  t["SpatialDropout1D"] = {{R"({"rate": 0.3, "seed": 2})", {kSeries}}};
  t["SpatialDropout2D"] = {{R"({"rate": 0.3})", {kImage}}, {R"({"rate": 0.3, "seed": 4, "data_format": "channels_first"})", {kImage}}};
  t["SpatialDropout3D"] = {{R"({"rate": 0.3, "seed": 1})", {kVolume}}};
}

}  // namespace tenure::specimens
