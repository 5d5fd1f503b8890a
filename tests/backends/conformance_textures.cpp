// Arrays, textures and surfaces.
#include "tests/backends/conformance_bench.h"

namespace guda::backend::conformance {
namespace {

/// A level of an array of floats as rows in memory.
struct FloatRows {
  static constexpr size_t kPitch = 512;
  Region& region;
  size_t offset, width, height;

  float& at(size_t x, size_t y) const { return region.as<float>(offset + y * kPitch)[x]; }
  ArrayRows rows() const { return {region.as<void>(offset), kPitch, kPitch * height}; }
  void set(float first) const {
    for (size_t i = 0; i < width * height; ++i)
      at(i % width, i / width) = first + static_cast<float>(i);
  }
};

constexpr uint32_t kPointerAfterTexture[] = {8};

std::unique_ptr<DeviceTexture> texture_of(Bench& bench, TextureDescription description) {
  description.sampling.address_mode.fill(TexelAddressMode::clamp);
  description.sampling.reads_elements = true;
  return must(bench.device.create_texture(description), "create_texture");
}

/// Texels of a texture, copied to `out` by a kernel.
void read_texels(Bench& bench, const DeviceTexture& texture, const char* name, size_t width,
                 size_t count, Region& region, size_t out) {
  Dim3 grid{static_cast<uint32_t>(count) / 8, 1, 1}, block{8, 1, 1};
  auto kernel = bench.load(name, block, kPointerAfterTexture);
  Parameters parameters;
  parameters.add(texture.handle()).add(region.address(out)).add(static_cast<uint32_t>(width));
  must(bench.queue->launch(whole(kernel, parameters, grid, block)), name);
  bench.download(region, out, count * 4);
}

void store_texels(Bench& bench, const DeviceTexture& surface, size_t width, size_t count) {
  Dim3 grid{static_cast<uint32_t>(count) / 8, 1, 1}, block{8, 1, 1};
  auto kernel = bench.load("store_texels", block, {});
  Parameters parameters;
  parameters.add(surface.handle()).add(static_cast<uint32_t>(width));
  must(bench.queue->launch(whole(kernel, parameters, grid, block)), "store_texels");
  must(bench.queue->synchronize(), "synchronize");
}

void expect_floats(const float* values, size_t count, float first, std::string_view what) {
  for (size_t i = 0; i < count; ++i)
    expect(values[i] == first + static_cast<float>(i),
           fmt::format("{}: {} at {}", what, values[i], i));
}

void samples_arrays(Bench& bench) {
  if (!bench.device.info().textures) throw Unsupported{"no textures"};
  Region region(bench.device, 1 << 20);
  const FloatRows image{region, 4096, 24, 10};
  constexpr size_t kOut = 256 << 10;
  ArrayDescription description;
  description.width = 24;
  description.height = 10;
  auto array = must(bench.device.create_array(description), "create_array");
  TextureDescription over;
  over.array = array;
  auto texture = texture_of(bench, over);
  for (float first : {100.0f, 1000.0f}) {
    image.set(first);
    bench.upload(region);
    must(bench.queue->copy_to_array(*array, 0, image.rows()), "copy_to_array");
    read_texels(bench, *texture, "texels", 24, 240, region, kOut);
    expect_floats(region.as<float>(kOut), 240, first, "texel");
  }
  auto second = texture_of(bench, over);
  expect(second->handle() != texture->handle(), "handles differ");
  over.array.reset();
  array.reset();  // the textures keep it
  read_texels(bench, *second, "texels", 24, 240, region, kOut);
  expect_floats(region.as<float>(kOut), 240, 1000, "texel of the second texture");
}

void stores_to_surfaces(Bench& bench) {
  if (!bench.device.info().textures) throw Unsupported{"no textures"};
  Region region(bench.device, 1 << 20);
  const FloatRows base{region, 0, 16, 8}, half{region, 128 << 10, 8, 4};
  ArrayDescription description;
  description.width = 16;
  description.height = 8;
  description.flags = 2;
  description.levels = 2;
  auto array = must(bench.device.create_array(description), "create_array");
  base.set(0);
  half.set(500);
  bench.upload(region);
  must(bench.queue->copy_to_array(*array, 0, base.rows()), "copy_to_array");
  must(bench.queue->copy_to_array(*array, 1, half.rows()), "copy_to_array");
  auto surface = must(bench.device.create_surface(array, 1), "create_surface");
  store_texels(bench, *surface, 8, 32);
  const FloatRows base_after{region, 256 << 10, 16, 8}, half_after{region, 384 << 10, 8, 4};
  must(bench.queue->copy_from_array(base_after.rows(), *array, 0), "copy_from_array");
  must(bench.queue->copy_from_array(half_after.rows(), *array, 1), "copy_from_array");
  bench.download(region);
  for (size_t i = 0; i < 128; ++i)
    expect(base_after.at(i % 16, i / 16) == static_cast<float>(i), "the other level is as before");
  for (size_t i = 0; i < 32; ++i)
    expect(half_after.at(i % 8, i / 8) == static_cast<float>(i) + 0.5f, "what was stored");
  expect(half_after.at(8, 0) == 0, "nothing behind the row");
}

void samples_memory(Bench& bench) {
  if (!bench.device.info().textures) throw Unsupported{"no textures"};
  Region region(bench.device, 1 << 20);
  constexpr size_t kOut = 256 << 10;
  const FloatRows image{region, 8192, 24, 10};
  image.set(7);
  float* line = region.as<float>(64 << 10);
  std::iota(line, line + 240, 70.0f);
  bench.upload(region);
  TextureDescription linear;
  linear.address = line;
  linear.width = 240;
  auto over_line = texture_of(bench, linear);
  read_texels(bench, *over_line, "texels_1d", 240, 240, region, kOut);
  expect_floats(region.as<float>(kOut), 240, 70, "linear memory");
  TextureDescription pitched;
  pitched.address = image.rows().address;
  pitched.width = 24;
  pitched.height = 10;
  pitched.pitch = FloatRows::kPitch;
  auto over_image = texture_of(bench, pitched);
  read_texels(bench, *over_image, "texels", 24, 240, region, kOut);
  expect_floats(region.as<float>(kOut), 240, 7, "pitched memory");
  // What is written there shows in later launches.
  image.set(9);
  bench.upload(region);
  read_texels(bench, *over_image, "texels", 24, 240, region, kOut);
  expect_floats(region.as<float>(kOut), 240, 9, "pitched memory, written again");
}

void refuses_impossible_textures(Bench& bench) {
  if (!bench.device.info().textures) throw Unsupported{"no textures"};
  ArrayDescription nothing;
  expect(!bench.device.create_array(nothing).status(), "an array without extent");
  ArrayDescription three;
  three.width = 16;
  three.channels = 3;
  expect(!bench.device.create_array(three).status(), "three channels");
  ArrayDescription plain;
  plain.width = 16;
  plain.height = 16;
  plain.flags = 2;
  auto array = must(bench.device.create_array(plain), "create_array");
  expect(!bench.device.create_surface(array, 1).status(), "a surface over no level");
  Region region(bench.device, 1 << 20);
  Status copied = bench.queue->copy_to_array(*array, 3, {region.data(), 512, 512 * 16});
  if (copied) copied = bench.queue->synchronize();
  expect(!copied, "no such level");
  expect(bench.device.usable(), "usable afterwards");
}

constexpr Case kCases[] = {
    {"samples_arrays", samples_arrays},
    {"stores_to_surfaces", stores_to_surfaces},
    {"samples_memory", samples_memory},
    {"refuses_impossible_textures", refuses_impossible_textures},
};

}  // namespace

std::span<const Case> texture_cases() { return kCases; }

}  // namespace guda::backend::conformance
