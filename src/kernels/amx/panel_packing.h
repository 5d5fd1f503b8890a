// Packing of panels for tiles. Written with the compiler's vectors of 64 bytes, which become single
// registers where the file is compiled for AVX-512; internal linkage (see gemm_tile.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/amx/tile_kernels.h"

namespace guda::kernels::amx {
namespace {

typedef uint32_t Words __attribute__((vector_size(64)));
typedef float Floats __attribute__((vector_size(64)));
typedef uint16_t Halves __attribute__((vector_size(32)));
typedef uint8_t Bytes __attribute__((vector_size(16)));

/// The first `count` elements at p; the others are zero and not read.
template <class Vector, class T>
[[gnu::always_inline]] inline Vector load_some(const T* p, int64_t count) {
  constexpr auto kCount = static_cast<int64_t>(sizeof(Vector) / sizeof(T));
  Vector x{};
  if (count >= kCount)
    std::memcpy(&x, p, sizeof(Vector));
  else if (count > 0)
    std::memcpy(&x, p, static_cast<size_t>(count) * sizeof(T));
  return x;
}

/// Magnitudes of the values of f32 that have been seen.
class Magnitudes {
 public:
  [[gnu::always_inline]] void add(Words bits) {
    const Words magnitude = bits & 0x7fffffffu;
    const Words below = magnitude - 1u;  // zero is the greatest
    least_ = below < least_ ? below : least_;
    greatest_ = magnitude > greatest_ ? magnitude : greatest_;
  }
  void merge_into(MagnitudeRange& range) const {
    for (int i = 0; i < 16; ++i) {
      if (least_[i] != 0xffffffffu && least_[i] + 1 < range.least) range.least = least_[i] + 1;
      if (greatest_[i] > range.greatest) range.greatest = greatest_[i];
    }
  }

 private:
  Words least_ = ~Words{};
  Words greatest_{};
};

// Sources: a source knows how elements become words. `along` makes a row of 16 words out of consecutive
// elements, `across` one word for each of 32 rows out of kPerWord elements that are ld apart.

/// Narrow elements as they are.
struct HalfSource {
  using From = uint16_t;
  static constexpr int kParts = 1;
  static constexpr int64_t kPerWord = 2;
  static constexpr int64_t kDepth = 32;

  static void along(const From* x, int64_t count, Words (&out)[1], Magnitudes&) {
    out[0] = load_some<Words>(x, count);
  }
  /// 16 rows.
  static void across(const From* x, int64_t ld, int64_t width, int64_t count, Words (&out)[1],
                     Magnitudes&) {
    const auto even = load_some<Halves>(x, width);
    const auto odd = count > 1 ? load_some<Halves>(x + ld, width) : Halves{};
    out[0] = reinterpret_cast<Words>(
        __builtin_shufflevector(even, odd, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23,
                                8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31));
  }
};

struct ByteSource {
  using From = uint8_t;
  static constexpr int kParts = 1;
  static constexpr int64_t kPerWord = 4;
  static constexpr int64_t kDepth = 64;

  static void along(const From* x, int64_t count, Words (&out)[1], Magnitudes&) {
    out[0] = load_some<Words>(x, count);
  }
  static void across(const From* x, int64_t ld, int64_t width, int64_t count, Words (&out)[1],
                     Magnitudes&) {
    // Rows side by side, then a permutation of all bytes.
    typedef uint8_t Pair __attribute__((vector_size(32)));
    typedef uint8_t Four __attribute__((vector_size(64)));
    const auto row = [&](int64_t s) __attribute__((always_inline)) {
      return s < count ? load_some<Bytes>(x + s * ld, width) : Bytes{};
    };
    const auto beside = [](Bytes a, Bytes b) __attribute__((always_inline)) {
      return Pair(__builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
                                          15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28,
                                          29, 30, 31));
    };
    const Pair first = beside(row(0), row(1));
    const Pair second = beside(row(2), row(3));
    out[0] = reinterpret_cast<Words>(Four(__builtin_shufflevector(
        first, second, 0, 16, 32, 48, 1, 17, 33, 49, 2, 18, 34, 50, 3, 19, 35, 51, 4, 20, 36, 52, 5,
        21, 37, 53, 6, 22, 38, 54, 7, 23, 39, 55, 8, 24, 40, 56, 9, 25, 41, 57, 10, 26, 42, 58, 11,
        27, 43, 59, 12, 28, 44, 60, 13, 29, 45, 61, 14, 30, 46, 62, 15, 31, 47, 63)));
  }
};

/// Terms that sum to x, each a bf16 in the upper half of its word: every one is what remains, rounded to
/// nearest even. With three terms nothing remains, as long as none is subnormal.
template <int kParts>
[[gnu::always_inline]] inline void split(Floats x, Words (&parts)[kParts]) {
#pragma GCC unroll 3
  for (int i = 0; i < kParts; ++i) {
    const Words bits = reinterpret_cast<Words>(x);
    parts[i] = (bits + 0x7fffu + ((bits >> 16) & 1u)) & 0xffff0000u;
    if (i + 1 < kParts) x -= reinterpret_cast<Floats>(parts[i]);
  }
}

struct FloatFormat {
  using From = float;
  static constexpr float kLargest = 0x1p126f;
  [[gnu::always_inline]] static Floats load(const float* x, int64_t count) {
    return load_some<Floats>(x, count);
  }
};

struct HalfFormat {
  using From = uint16_t;
  static constexpr float kLargest = 65504;
  /// Infinity and NaN become numbers beyond that.
  [[gnu::always_inline]] static Floats load(const uint16_t* x, int64_t count) {
    const Words bits = __builtin_convertvector(load_some<Halves>(x, count), Words);
    const Floats magnitude = reinterpret_cast<Floats>((bits & 0x7fffu) << 13) * 0x1p112f;
    return reinterpret_cast<Floats>(reinterpret_cast<Words>(magnitude) | ((bits & 0x8000u) << 16));
  }
};

template <class Format, int kPartsOf>
struct SplitSource {
  using From = typename Format::From;
  static constexpr int kParts = kPartsOf;
  static constexpr int64_t kPerWord = 2;
  static constexpr int64_t kDepth = 32;

  [[gnu::always_inline]] static void pairs(Floats even, Floats odd, Words (&out)[kParts],
                                           Magnitudes& magnitudes) {
    magnitudes.add(reinterpret_cast<Words>(even));
    magnitudes.add(reinterpret_cast<Words>(odd));
    Words low[kParts];
    Words high[kParts];
    split(even, low);
    split(odd, high);
#pragma GCC unroll 3
    for (int i = 0; i < kParts; ++i) out[i] = (low[i] >> 16) | high[i];
  }
  static void along(const From* x, int64_t count, Words (&out)[kParts], Magnitudes& magnitudes) {
    const Floats first = Format::load(x, count);
    const Floats second = count > 16 ? Format::load(x + 16, count - 16) : Floats{};
    pairs(__builtin_shufflevector(first, second, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26,
                                  28, 30),
          __builtin_shufflevector(first, second, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27,
                                  29, 31),
          out, magnitudes);
  }
  static void across(const From* x, int64_t ld, int64_t width, int64_t count, Words (&out)[kParts],
                     Magnitudes& magnitudes) {
    const Floats even = Format::load(x, width);
    const Floats odd = count > 1 ? Format::load(x + ld, width) : Floats{};
    pairs(even, odd, out, magnitudes);
  }
};

/// Transposes the 16 x 16 words of a tile where it stands.
inline void transpose_tile(std::byte* tile) {
  Words row[16];
  std::memcpy(row, tile, sizeof(row));
  // Four rows at a time: quarter L of quad[4 g + c] has word 4 L + c of rows 4 g ... 4 g + 3.
  Words quad[16];
#pragma GCC unroll 4
  for (int g = 0; g < 16; g += 4) {
    const Words a = __builtin_shufflevector(row[g], row[g + 1], 0, 16, 1, 17, 4, 20, 5, 21, 8, 24,
                                            9, 25, 12, 28, 13, 29);
    const Words b = __builtin_shufflevector(row[g], row[g + 1], 2, 18, 3, 19, 6, 22, 7, 23, 10, 26,
                                            11, 27, 14, 30, 15, 31);
    const Words c = __builtin_shufflevector(row[g + 2], row[g + 3], 0, 16, 1, 17, 4, 20, 5, 21, 8,
                                            24, 9, 25, 12, 28, 13, 29);
    const Words d = __builtin_shufflevector(row[g + 2], row[g + 3], 2, 18, 3, 19, 6, 22, 7, 23, 10,
                                            26, 11, 27, 14, 30, 15, 31);
    quad[g] =
        __builtin_shufflevector(a, c, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
    quad[g + 1] =
        __builtin_shufflevector(a, c, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
    quad[g + 2] =
        __builtin_shufflevector(b, d, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
    quad[g + 3] =
        __builtin_shufflevector(b, d, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
  }
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    // Quarters 0 and 2 (even) or 1 and 3 (odd) of two vectors.
    const auto even = [](Words x, Words y) __attribute__((always_inline)) {
      return __builtin_shufflevector(x, y, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26,
                                     27);
    };
    const auto odd = [](Words x, Words y) __attribute__((always_inline)) {
      return __builtin_shufflevector(x, y, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30,
                                     31);
    };
    const Words even01 = even(quad[c], quad[4 + c]);
    const Words even23 = even(quad[8 + c], quad[12 + c]);
    const Words odd01 = odd(quad[c], quad[4 + c]);
    const Words odd23 = odd(quad[8 + c], quad[12 + c]);
    row[c] = even(even01, even23);
    row[4 + c] = even(odd01, odd23);
    row[8 + c] = odd(even01, even23);
    row[12 + c] = odd(odd01, odd23);
  }
  std::memcpy(tile, row, sizeof(row));
}

enum class Direction { along, across };

/// PackPanel. Tiles of rows hold the words of one row of the operand side by side, tiles of columns one
/// below the other.
template <class Source, bool kRowTiles, Direction kDirection>
void pack_panel(int64_t width, int64_t k, const typename Source::From* x, int64_t ld,
                std::byte* out, MagnitudeRange& range) {
  using From = typename Source::From;
  constexpr int kParts = Source::kParts;
  constexpr bool kAlong = kDirection == Direction::along;
  // Rows that are a power of two apart share few sets of the first-level cache: only what is needed at once
  // is fetched there.
  constexpr int64_t kNear = 4 * Source::kPerWord;
  constexpr int64_t kFar = 64;
  constexpr int64_t kFarSteps = 8;
  const auto fetch_row = [](const From* at, auto locality) __attribute__((always_inline)) {
    __builtin_prefetch(at, 0, decltype(locality)::value);
    if constexpr (sizeof(From) == 4) __builtin_prefetch(at + 16, 0, decltype(locality)::value);
  };
  Magnitudes magnitudes;
  const auto put = [&](int64_t tile, int64_t line,
                       const Words(&words)[kParts]) __attribute__((always_inline)) {
#pragma GCC unroll 3
    for (int part = 0; part < kParts; ++part)
      std::memcpy(out + part * kStepBytes + tile * 1024 + 64 * line, &words[part], 64);
  };
  for (int64_t p = 0; p < k; p += Source::kDepth, out += kParts * kStepBytes) {
    const int64_t count = k - p;
    if constexpr (kAlong) {
      for (int64_t i = 0; i < kPanel; ++i) {
        Words words[kParts] = {};
        if (i < width) {
          const From* from = x + i * ld + p;
          __builtin_prefetch(from + kFarSteps * Source::kDepth, 0, 2);
          Source::along(from, count, words, magnitudes);
        }
        put(i / kTile, i % kTile, words);
      }
    } else {
      for (int64_t w = 0; w < kTile; ++w) {
        const int64_t s = w * Source::kPerWord;
        Words low[kParts] = {};
        Words high[kParts] = {};
        if (s < count) {
          const From* from = x + (p + s) * ld;
#pragma GCC unroll 4
          for (int64_t row = 0; row < Source::kPerWord; ++row) {
            fetch_row(from + (kNear + row) * ld, std::integral_constant<int, 3>{});
            fetch_row(from + (kFar + row) * ld, std::integral_constant<int, 2>{});
          }
          Source::across(from, ld, width, count - s, low, magnitudes);
          if (width > kTile)
            Source::across(from + kTile, ld, width - kTile, count - s, high, magnitudes);
        }
        put(0, w, low);
        put(1, w, high);
      }
    }
    if constexpr (kAlong != kRowTiles) {
      for (int64_t tile = 0; tile < 2 * kParts; ++tile) transpose_tile(out + 1024 * tile);
    }
  }
  magnitudes.merge_into(range);
}

template <class Source, bool kRowTiles>
inline constexpr PanelPacking<typename Source::From> kPacking{
    pack_panel<Source, kRowTiles, Direction::along>,
    pack_panel<Source, kRowTiles, Direction::across>};

}  // namespace
}  // namespace guda::kernels::amx
