// Textures, surfaces and arrays whose contents come and go on all ways there are: copies, kernels that store to surfaces,
// kernels that allocate and therefore may run elsewhere, several streams, handles in memory, levels and layers.
#include "check.h"

constexpr int kWidth = 40, kHeight = 24, kTexels = kWidth * kHeight;

__global__ void read_image(cudaTextureObject_t image, float* out) {
  const int x = threadIdx.x, y = blockIdx.x;
  out[y * kWidth + x] = tex2D<float>(image, x + 0.5f, y + 0.5f);
}

__global__ void add_to_image(cudaSurfaceObject_t image, float value) {
  const int x = threadIdx.x, y = blockIdx.x;
  const float old = surf2Dread<float>(image, x * 4, y);
  surf2Dwrite(old + value, image, x * 4, y);
}

// The same with memory from the device's heap in between.
__global__ void add_through_heap(cudaSurfaceObject_t image, float value) {
  const int x = threadIdx.x, y = blockIdx.x;
  float* own = static_cast<float*>(malloc(sizeof(float)));
  if (own == nullptr) return;
  *own = surf2Dread<float>(image, x * 4, y) + value;
  surf2Dwrite(*own, image, x * 4, y);
  free(own);
}

__global__ void read_through_heap(cudaTextureObject_t image, float* out) {
  const int x = threadIdx.x, y = blockIdx.x;
  float* own = static_cast<float*>(malloc(sizeof(float)));
  if (own == nullptr) return;
  *own = tex2D<float>(image, x + 0.5f, y + 0.5f);
  out[y * kWidth + x] = *own;
  free(own);
}

// From one image to the other, both known by a table in memory.
struct Images {
  cudaTextureObject_t from;
  cudaSurfaceObject_t to;
};
__global__ void blur(const Images* images) {
  const int x = threadIdx.x, y = blockIdx.x;
  const float sum = tex2D<float>(images->from, x - 0.5f, y + 0.5f) +
                    tex2D<float>(images->from, x + 1.5f, y + 0.5f);
  surf2Dwrite(0.5f * sum, images->to, x * 4, y);
}

__global__ void read_line(cudaTextureObject_t line, float* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = tex1Dfetch<float>(line, i);
}

__global__ void write_line(float* line, int n, float first) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) line[i] = first + i;
}

__global__ void read_levels(cudaTextureObject_t image, float* out) {
  out[threadIdx.x] = tex2DLod<float>(image, 0.5f, 0.5f, static_cast<float>(threadIdx.x));
}

__global__ void write_level(cudaSurfaceObject_t level, float value) {
  surf2Dwrite(value, level, threadIdx.x * 4, threadIdx.y);
}

__global__ void read_layers(cudaTextureObject_t image, int* out) {
  out[threadIdx.x + blockDim.x * blockIdx.x] =
      tex2DLayered<int>(image, threadIdx.x + 0.5f, 1.5f, blockIdx.x);
}

__global__ void read_volume(cudaTextureObject_t volume, short2* out) {
  const int x = threadIdx.x, y = threadIdx.y, z = threadIdx.z;
  out[(z * blockDim.y + y) * blockDim.x + x] = tex3D<short2>(volume, x + 0.5f, y + 0.5f, z + 0.5f);
}

cudaTextureObject_t texture_over(const cudaResourceDesc& resource, bool normalised = false) {
  cudaTextureDesc description{};
  for (auto& mode : description.addressMode) mode = cudaAddressModeClamp;
  description.readMode = cudaReadModeElementType;
  description.normalizedCoords = normalised;
  description.maxMipmapLevelClamp = 10;
  cudaTextureObject_t texture = 0;
  CUDA_OK(cudaCreateTextureObject(&texture, &resource, &description, nullptr));
  return texture;
}

struct Image {
  cudaArray_t array = nullptr;
  cudaTextureObject_t texture = 0;
  cudaSurfaceObject_t surface = 0;

  Image() {
    const cudaChannelFormatDesc channel = cudaCreateChannelDesc<float>();
    CUDA_OK(cudaMallocArray(&array, &channel, kWidth, kHeight, cudaArraySurfaceLoadStore));
    cudaResourceDesc resource{};
    resource.resType = cudaResourceTypeArray;
    resource.res.array.array = array;
    texture = texture_over(resource);
    CUDA_OK(cudaCreateSurfaceObject(&surface, &resource));
  }
  ~Image() {
    CUDA_OK(cudaDestroyTextureObject(texture));
    CUDA_OK(cudaDestroySurfaceObject(surface));
    CUDA_OK(cudaFreeArray(array));
  }
  void set(const std::vector<float>& texels) {
    CUDA_OK(cudaMemcpy2DToArray(array, 0, 0, texels.data(), kWidth * 4, kWidth * 4, kHeight,
                                cudaMemcpyHostToDevice));
  }
  std::vector<float> get() const {
    std::vector<float> texels(kTexels);
    CUDA_OK(cudaMemcpy2DFromArray(texels.data(), kWidth * 4, array, 0, 0, kWidth * 4, kHeight,
                                  cudaMemcpyDeviceToHost));
    return texels;
  }
};

void expect_texels(const std::vector<float>& texels, const std::vector<float>& expected,
                   const char* what) {
  for (int i = 0; i < kTexels; ++i) EXPECT_EQ(texels[i], expected[i], "%s: texel %d", what, i);
}

void copies_and_stores() {
  Image image;
  check::DeviceArray<float> out(kTexels);
  std::vector<float> texels(kTexels);
  for (int i = 0; i < kTexels; ++i) texels[i] = i;
  auto add = [&](float value) {
    for (float& texel : texels) texel += value;
  };
  auto read = [&](const char* what) {
    read_image<<<kHeight, kWidth>>>(image.texture, out);
    KERNEL_OK();
    expect_texels(out.host(), texels, what);
  };
  image.set(texels);
  read("copied");
  add(1000);
  image.set(texels);
  read("copied again");
  add_to_image<<<kHeight, kWidth>>>(image.surface, 3);
  add(3);
  read("stored");
  for (int round = 0; round < 4; ++round) {
    add_to_image<<<kHeight, kWidth>>>(image.surface, 1);
    add_through_heap<<<kHeight, kWidth>>>(image.surface, 10);
    add(11);
  }
  KERNEL_OK();
  read("stored in turn");
  expect_texels(image.get(), texels, "copied back");
  add_to_image<<<kHeight, kWidth>>>(image.surface, 5);
  add(5);
  read_through_heap<<<kHeight, kWidth>>>(image.texture, out);
  KERNEL_OK();
  expect_texels(out.host(), texels, "read elsewhere");
  // A part of it by a copy, the rest as stored.
  const float mark = -7;
  add_to_image<<<kHeight, kWidth>>>(image.surface, 2);
  add(2);
  CUDA_OK(cudaMemcpy2DToArray(image.array, 8, 3, &mark, 4, 4, 1, cudaMemcpyHostToDevice));
  texels[3 * kWidth + 2] = mark;
  read("copied in part");
  // From array to array.
  Image other;
  CUDA_OK(cudaMemcpy2DArrayToArray(other.array, 0, 0, image.array, 0, 0, kWidth * 4, kHeight,
                                   cudaMemcpyDeviceToDevice));
  read_image<<<kHeight, kWidth>>>(other.texture, out);
  KERNEL_OK();
  expect_texels(out.host(), texels, "copied from array to array");
}

void handles_in_memory() {
  Image a, b;
  std::vector<float> texels(kTexels);
  for (int i = 0; i < kTexels; ++i) texels[i] = static_cast<float>(i * 37 % 1024);
  a.set(texels);
  check::DeviceArray<Images> images(
      std::vector<Images>{{a.texture, b.surface}, {b.texture, a.surface}});
  for (int round = 0; round < 6; ++round) {
    blur<<<kHeight, kWidth>>>(images.get() + round % 2);
    std::vector<float> next(kTexels);
    for (int i = 0; i < kTexels; ++i) {
      const int x = i % kWidth;
      next[i] = 0.5f * (texels[x > 0 ? i - 1 : i] + texels[x + 1 < kWidth ? i + 1 : i]);
    }
    texels = next;
  }
  KERNEL_OK();
  expect_texels(a.get(), texels, "blurred");
}

void streams() {
  constexpr int kStreams = 3;
  Image images[kStreams];
  cudaStream_t stream[kStreams];
  std::vector<float> texels(kTexels, 1.0f);
  check::DeviceArray<float> out(kTexels * kStreams);
  CUDA_OK(cudaDeviceSynchronize());  // these streams do not wait for what clears it
  for (int s = 0; s < kStreams; ++s) {
    CUDA_OK(cudaStreamCreateWithFlags(&stream[s], cudaStreamNonBlocking));
    images[s].set(texels);
  }
  for (int round = 0; round < 20; ++round) {
    for (int s = 0; s < kStreams; ++s)
      add_to_image<<<kHeight, kWidth, 0, stream[s]>>>(images[s].surface, s + 1.0f);
  }
  for (int s = 0; s < kStreams; ++s)
    read_image<<<kHeight, kWidth, 0, stream[s]>>>(images[s].texture, out.get() + s * kTexels);
  KERNEL_OK();
  const auto values = out.host();
  for (int s = 0; s < kStreams; ++s) {
    for (int i = 0; i < kTexels; ++i)
      EXPECT_EQ(values[s * kTexels + i], 1 + 20 * (s + 1.0f), "stream %d texel %d", s, i);
    CUDA_OK(cudaStreamDestroy(stream[s]));
  }
}

void plain_memory() {
  constexpr int kLength = 5000;
  check::DeviceArray<float> line(kLength), out(kLength);
  cudaResourceDesc resource{};
  resource.resType = cudaResourceTypeLinear;
  resource.res.linear.devPtr = line.get();
  resource.res.linear.desc = cudaCreateChannelDesc<float>();
  resource.res.linear.sizeInBytes = kLength * sizeof(float);
  cudaTextureObject_t texture = texture_over(resource);
  for (float first : {10.0f, 20.0f}) {
    write_line<<<40, 128>>>(line, kLength, first);
    read_line<<<40, 128>>>(texture, out, kLength);
    KERNEL_OK();
    const auto values = out.host();
    for (int i = 0; i < kLength; ++i) EXPECT_EQ(values[i], first + i, "%d", i);
  }
  CUDA_OK(cudaMemset(line.get(), 0, kLength * sizeof(float)));
  read_line<<<40, 128>>>(texture, out, kLength);
  KERNEL_OK();
  EXPECT_EQ(out.host()[17], 0.0f, "after memset");
  CUDA_OK(cudaDestroyTextureObject(texture));
}

void levels_and_layers() {
  check::DeviceArray<float> out(8);
  const cudaChannelFormatDesc channel = cudaCreateChannelDesc<float>();
  cudaMipmappedArray_t mipmapped;
  CUDA_OK(cudaMallocMipmappedArray(&mipmapped, &channel, make_cudaExtent(16, 16, 0), 4,
                                   cudaArraySurfaceLoadStore));
  cudaResourceDesc resource{};
  resource.resType = cudaResourceTypeMipmappedArray;
  resource.res.mipmap.mipmap = mipmapped;
  cudaTextureObject_t texture = texture_over(resource, true);
  for (unsigned level = 0; level < 4; ++level) {
    cudaArray_t array;
    CUDA_OK(cudaGetMipmappedArrayLevel(&array, mipmapped, level));
    cudaResourceDesc over_level{};
    over_level.resType = cudaResourceTypeArray;
    over_level.res.array.array = array;
    if (level % 2 == 0) {
      cudaSurfaceObject_t surface;
      CUDA_OK(cudaCreateSurfaceObject(&surface, &over_level));
      write_level<<<1, dim3(16 >> level, 16 >> level)>>>(surface, 100.0f + level);
      KERNEL_OK();
      CUDA_OK(cudaDestroySurfaceObject(surface));
    } else {
      std::vector<float> texels(256, 100.0f + level);
      CUDA_OK(cudaMemcpy2DToArray(array, 0, 0, texels.data(), (16 >> level) * 4, (16 >> level) * 4,
                                  16 >> level, cudaMemcpyHostToDevice));
    }
  }
  read_levels<<<1, 4>>>(texture, out);
  KERNEL_OK();
  const auto values = out.host();
  for (int level = 0; level < 4; ++level) EXPECT_EQ(values[level], 100.0f + level, "%d", level);
  CUDA_OK(cudaDestroyTextureObject(texture));
  CUDA_OK(cudaFreeMipmappedArray(mipmapped));

  // Layers of integers.
  const cudaChannelFormatDesc integers = cudaCreateChannelDesc<int>();
  cudaArray_t layers;
  CUDA_OK(cudaMalloc3DArray(&layers, &integers, make_cudaExtent(8, 4, 3), cudaArrayLayered));
  std::vector<int> texels(8 * 4 * 3);
  for (int i = 0; i < 96; ++i) texels[i] = i;
  cudaMemcpy3DParms copy{};
  copy.srcPtr = make_cudaPitchedPtr(texels.data(), 32, 8, 4);
  copy.dstArray = layers;
  copy.extent = make_cudaExtent(8, 4, 3);
  copy.kind = cudaMemcpyHostToDevice;
  CUDA_OK(cudaMemcpy3D(&copy));
  resource = {};
  resource.resType = cudaResourceTypeArray;
  resource.res.array.array = layers;
  texture = texture_over(resource);
  check::DeviceArray<int> rows(24);
  read_layers<<<3, 8>>>(texture, rows);
  KERNEL_OK();
  const auto row = rows.host();
  for (int i = 0; i < 24; ++i) EXPECT_EQ(row[i], i / 8 * 32 + 8 + i % 8, "%d", i);
  CUDA_OK(cudaDestroyTextureObject(texture));
  CUDA_OK(cudaFreeArray(layers));

  // A volume of pairs.
  const cudaChannelFormatDesc pairs = cudaCreateChannelDesc<short2>();
  cudaArray_t volume;
  CUDA_OK(cudaMalloc3DArray(&volume, &pairs, make_cudaExtent(5, 4, 3)));
  std::vector<short2> contents(60);
  for (int i = 0; i < 60; ++i)
    contents[i] = make_short2(static_cast<short>(i), static_cast<short>(-i));
  copy.srcPtr = make_cudaPitchedPtr(contents.data(), 20, 5, 4);
  copy.dstArray = volume;
  copy.extent = make_cudaExtent(5, 4, 3);
  CUDA_OK(cudaMemcpy3D(&copy));
  resource.res.array.array = volume;
  texture = texture_over(resource);
  check::DeviceArray<short2> read(60);
  read_volume<<<1, dim3(5, 4, 3)>>>(texture, read);
  KERNEL_OK();
  const auto voxels = read.host();
  for (int i = 0; i < 60; ++i) {
    EXPECT_EQ(voxels[i].x, i, "%d", i);
    EXPECT_EQ(voxels[i].y, -i, "%d", i);
  }
  CUDA_OK(cudaDestroyTextureObject(texture));
  CUDA_OK(cudaFreeArray(volume));
}

int main() {
  copies_and_stores();
  handles_in_memory();
  streams();
  plain_memory();
  levels_and_layers();
  return check::finish("texture_coherence");
}
