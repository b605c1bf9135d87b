// Shapes by signed distance (negative inside), as collected by Inigo Quilez, "2D distance functions".
#include "data/glyphs.h"

#include <algorithm>
#include <cmath>

#include "data/rng.h"

namespace tenure::data {
namespace {

struct Point {
  double x, y;
};

double length(double x, double y) { return std::sqrt(x * x + y * y); }
double box(Point p, double half_w, double half_h) {
  const double dx = std::fabs(p.x) - half_w, dy = std::fabs(p.y) - half_h;
  return length(std::max(dx, 0.0), std::max(dy, 0.0)) + std::min(std::max(dx, dy), 0.0);
}
double segment(Point p, Point a, Point b) {
  const double ex = b.x - a.x, ey = b.y - a.y, wx = p.x - a.x, wy = p.y - a.y;
  const double t = std::clamp((wx * ex + wy * ey) / (ex * ex + ey * ey), 0.0, 1.0);
  return length(wx - ex * t, wy - ey * t);
}
double polygon(Point p, std::span<const Point> corners) {
  double distance = 1e9;
  bool inside = false;
  for (size_t i = 0, j = corners.size() - 1; i < corners.size(); j = i++) {
    const Point a = corners[i], b = corners[j];
    distance = std::min(distance, segment(p, a, b));
    if ((a.y > p.y) != (b.y > p.y) && p.x < (b.x - a.x) * (p.y - a.y) / (b.y - a.y) + a.x) inside = !inside;
  }
  return inside ? -distance : distance;
}

double star(Point p, double inner) {
  // sin and cos of multiples of 36 degrees, from straight up
  constexpr double s[10] = {0, .5877852523, .9510565163, .9510565163, .5877852523, 0, -.5877852523, -.9510565163, -.9510565163, -.5877852523};
  constexpr double c[10] = {1, .8090169944, .3090169944, -.3090169944, -.8090169944, -1, -.8090169944, -.3090169944, .3090169944, .8090169944};
  Point corners[10];
  for (int i = 0; i < 10; ++i) {
    const double r = i % 2 ? inner : 1.0;
    corners[i] = {r * s[i], -r * c[i]};
  }
  return polygon(p, corners);
}

/// Distance of a point to shape `kind`; the shape fits a circle of radius 1. `t` in [0, 1) is how thick its strokes are.
double shape(int kind, Point p, double t) {
  switch (kind) {
    case 0: {
      const double w = 0.14 + 0.16 * t;
      const Point arrow[7] = {{-0.9, -w}, {0.1, -w}, {0.1, -0.6}, {0.95, 0}, {0.1, 0.6}, {0.1, w}, {-0.9, w}};
      return polygon(p, arrow);
    }
    case 1: return length(p.x, p.y) - 0.8;
    case 2: return std::min(box(p, 0.85, 0.14 + 0.14 * t), box(p, 0.14 + 0.14 * t, 0.85));
    case 3: {
      const double w = 0.42 + 0.12 * t;
      const Point diamond[4] = {{0, -0.95}, {w, 0}, {0, 0.95}, {-w, 0}};
      return polygon(p, diamond);
    }
    case 4: return std::max(length(p.x, p.y) - 0.85, 0.62 + 0.1 * t - length(p.x - 0.42, p.y));
    case 5: return std::fabs(length(p.x, p.y) - 0.7) - (0.1 + 0.12 * t);
    case 6: return box(p, 0.66, 0.66);
    case 7: return star(p, 0.4 + 0.12 * t);
    case 8: return std::max(box(p, 0.8, 0.8), std::fabs(std::fabs(std::fabs(p.y) - 0.3) - 0.3) - (0.09 + 0.07 * t));
    default: {
      const Point triangle[3] = {{0, -0.9}, {0.85, 0.65}, {-0.85, 0.65}};
      return polygon(p, triangle);
    }
  }
}

/// Close to normal with deviation 1, by additions only: the same on every machine.
double noise(Rng& rng) {
  double sum = -2;
  for (int i = 0; i < 4; ++i) sum += rng.uniform();
  return sum * 1.7320508;
}

}  // namespace

void draw_glyph(uint64_t seed, int64_t index, std::span<uint8_t, kGlyphSide * kGlyphSide> pixels) {
  Rng rng(seed, static_cast<uint64_t>(index));
  const int kind = static_cast<int>(index % kGlyphClasses);
  const double radius = rng.uniform(8, 12), room = kGlyphSide / 2.0 - radius;
  const Point centre{kGlyphSide / 2.0 + rng.uniform(-room, room), kGlyphSide / 2.0 + rng.uniform(-room, room)};
  const double angle = rng.uniform(-0.4, 0.4), sine = std::sin(angle), cosine = std::cos(angle), squeeze = rng.uniform(0.85, 1.15);
  const double thickness = rng.uniform(), fill = rng.uniform(150, 255), ground = rng.uniform(0, 60), sigma = rng.uniform(4, 20);
  const Point slope{rng.uniform(-1.5, 1.5), rng.uniform(-1.5, 1.5)};
  const bool can_be_hollow = kind != 1 && kind != 2 && kind != 5 && kind != 8;
  const double wall = can_be_hollow && rng.uniform() < 0.25 ? rng.uniform(0.9, 1.4) : 0;  // pixels
  const int strokes = static_cast<int>(rng.below(3));
  Point from[2], to[2];
  double bright[2];
  for (int i = 0; i < 2; ++i) {
    from[i] = {rng.uniform(0, kGlyphSide), rng.uniform(0, kGlyphSide)};
    to[i] = {from[i].x + rng.uniform(-9, 9), from[i].y + rng.uniform(-9, 9)};
    bright[i] = rng.uniform(30, 110);
  }
  for (int y = 0; y < kGlyphSide; ++y)
    for (int x = 0; x < kGlyphSide; ++x) {
      const Point at{x + 0.5, y + 0.5};
      const double dx = (at.x - centre.x) / radius, dy = (at.y - centre.y) / radius;
      double d = shape(kind, {(cosine * dx + sine * dy) * squeeze, (cosine * dy - sine * dx) / squeeze}, thickness) * radius;
      if (wall > 0) d = std::fabs(d + wall) - wall;
      double value = ground + slope.x * (at.x - kGlyphSide / 2.0) + slope.y * (at.y - kGlyphSide / 2.0);
      for (int i = 0; i < strokes; ++i) value += bright[i] * std::clamp(1.1 - segment(at, from[i], to[i]), 0.0, 1.0);
      const double cover = std::clamp(0.5 - d, 0.0, 1.0);
      value += (fill - value) * cover + sigma * noise(rng);
      pixels[static_cast<size_t>(y * kGlyphSide + x)] = static_cast<uint8_t>(std::clamp(value, 0.0, 255.0));
    }
}

}  // namespace tenure::data
