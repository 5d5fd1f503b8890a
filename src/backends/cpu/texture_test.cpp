#include "backends/cpu/texture.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <vector>

namespace guda::cpu {
namespace {

using kernel::TexelGeometry;

std::array<float, 4> fetch(const Texture& texture, TexelGeometry geometry,
                           const std::vector<float>& coordinates, uint32_t flags = 0) {
  std::vector<uint32_t> words;
  words.reserve(12);
  for (const float c : coordinates) words.push_back(std::bit_cast<uint32_t>(c));
  words.resize(12);
  std::array<uint32_t, 4> out{};
  fetch_texture(texture, geometry, flags, words.data(), out.data());
  std::array<float, 4> result{};
  for (size_t i = 0; i < 4; ++i) result[i] = std::bit_cast<float>(out[i]);
  return result;
}

// 4 x 3 image of floats, value 10 y + x.
struct Image {
  std::vector<float> data;
  Texture texture;

  Image() {
    for (int y = 0; y < 3; ++y) {
      for (int x = 0; x < 4; ++x) data.push_back(static_cast<float>(10 * y + x));
    }
    texture.levels[0] = {reinterpret_cast<std::byte*>(data.data()), 4, 3, 1, 16, 48};
    texture.address_mode.fill(TexelAddressMode::clamp);
  }
  float at(float x, float y) { return fetch(texture, TexelGeometry::d2, {x, y})[0]; }
};

TEST(Texture, PointFilterTakesTheTexelThatHoldsThePoint) {
  Image image;
  EXPECT_EQ(image.at(2.9f, 1.0f), 12);
  EXPECT_EQ(image.at(-5, 1.5f), 10);
  EXPECT_EQ(image.at(100, 100), 23);
  image.texture.address_mode.fill(TexelAddressMode::border);
  EXPECT_EQ(image.at(-0.1f, 1.5f), 0);
  EXPECT_EQ(image.at(NAN, 1.5f), 10);
}

TEST(Texture, LinearFilterWeighsTheFourNeighbours) {
  Image image;
  image.texture.linear_filter = true;
  EXPECT_EQ(image.at(1.5f, 1.5f), 11);
  EXPECT_EQ(image.at(2.0f, 1.5f), 11.5f);
  EXPECT_EQ(image.at(2.0f, 2.0f), 16.5f);
  EXPECT_EQ(image.at(1.5f + 1.0f / 1024, 1.5f), 11) << "weights have 8 fractional bits";
}

TEST(Texture, NormalisedCoordinatesWrapAndMirror) {
  Image image;
  image.texture.normalized_coordinates = true;
  image.texture.address_mode.fill(TexelAddressMode::wrap);
  EXPECT_EQ(image.at(1.125f, 0.5f), 10);
  EXPECT_EQ(image.at(-0.125f, 0.5f), 13);
  image.texture.address_mode.fill(TexelAddressMode::mirror);
  EXPECT_EQ(image.at(1.125f, 0.5f), 13);
  EXPECT_EQ(image.at(-0.125f, 0.5f), 10);
}

TEST(Texture, IntegersAreNormalisedOrRaw) {
  std::vector<int8_t> data = {-128, 127, 0, 64};
  Texture texture;
  texture.levels[0] = {reinterpret_cast<std::byte*>(data.data()), 2, 1, 1, 4, 4};
  texture.format = TexelFormat::s8;
  texture.channels = 2;
  texture.address_mode.fill(TexelAddressMode::clamp);
  const auto pixel = fetch(texture, TexelGeometry::d1, {0.5f});
  EXPECT_EQ(pixel[0], -1.0f);
  EXPECT_EQ(pixel[1], 1.0f);
  const auto raw = fetch(texture, TexelGeometry::d1, {1.5f}, 2u << kernel::kTextureResultShift);
  EXPECT_EQ(std::bit_cast<int32_t>(raw[1]), 64);
}

TEST(Texture, PlainMemoryIsZeroOutside) {
  Image image;
  image.texture.plain_memory = true;
  image.texture.levels[0].width = 12;
  const uint32_t flags = kernel::kTextureIntegerCoordinates;
  const auto at = [&](int32_t i) {
    return fetch(image.texture, TexelGeometry::d1, {std::bit_cast<float>(i)}, flags)[0];
  };
  EXPECT_EQ(at(7), 13);
  EXPECT_EQ(at(12), 0);
  EXPECT_EQ(at(-1), 0);
}

TEST(Texture, LayersMipsAndGather) {
  std::vector<float> data(2 * 2 * 3);
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<float>(i);
  std::vector<float> small = {50, 60, 70};
  Texture texture;
  texture.levels[0] = {reinterpret_cast<std::byte*>(data.data()), 2, 2, 3, 8, 16};
  texture.levels[1] = {reinterpret_cast<std::byte*>(small.data()), 1, 1, 3, 4, 4};
  texture.level_count = 2;
  texture.max_mip_level = 1;
  texture.linear_mip_filter = true;
  texture.normalized_coordinates = true;
  texture.address_mode.fill(TexelAddressMode::clamp);
  const float layer2 = std::bit_cast<float>(2);
  EXPECT_EQ(fetch(texture, TexelGeometry::a2d, {layer2, 0.75f, 0.25f})[0], 9);
  EXPECT_EQ(
      fetch(texture, TexelGeometry::a2d, {layer2, 0.75f, 0.25f, 0.5f}, kernel::kTextureLevel)[0],
      (9 + 70) / 2.0f);
  const auto gathered = fetch(texture, TexelGeometry::d2, {0.5f, 0.5f}, kernel::kTextureGather);
  EXPECT_EQ(gathered, (std::array<float, 4>{2, 3, 1, 0}));
}

TEST(Texture, HalfFloats) {
  std::vector<uint16_t> data = {0x3c00, 0xc000, 0x0001, 0x7c00};
  Texture texture;
  texture.levels[0] = {reinterpret_cast<std::byte*>(data.data()), 1, 1, 1, 8, 8};
  texture.format = TexelFormat::f16;
  texture.channels = 4;
  const auto pixel = fetch(texture, TexelGeometry::d1, {0.0f});
  EXPECT_EQ(pixel, (std::array<float, 4>{1, -2, 0x1p-24f, INFINITY}));
}

TEST(Surface, BoundsFollowTheClampMode) {
  Image image;
  float value = 99;
  const auto access = [&](uint32_t flags, uint32_t x, uint32_t y) {
    const uint32_t at[] = {x, y};
    return access_surface(image.texture, TexelGeometry::d2, flags, at, 4, &value);
  };
  EXPECT_TRUE(access(kernel::kSurfaceStore, 8, 1));
  EXPECT_EQ(image.data[6], 99);
  EXPECT_TRUE(access(0, 4, 2));
  EXPECT_EQ(value, 21);
  EXPECT_FALSE(access(0, 16, 0));
  EXPECT_TRUE(access(kernel::kSurfaceZero, 16, 0));
  EXPECT_EQ(value, 0);
  EXPECT_TRUE(access(kernel::kSurfaceClamp, 400, 400));
  EXPECT_EQ(value, 23);
  EXPECT_EQ(query_texture(image.texture, kernel::TextureProperty::height, 0), 3u);
}

}  // namespace
}  // namespace guda::cpu
