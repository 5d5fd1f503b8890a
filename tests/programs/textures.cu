// Texture objects: 1D fetches from linear memory, 2D over pitched memory and arrays with point and
// linear filters, all address modes, normalised coordinates and reads, and surfaces.
#include "check.h"

__global__ void fetch(cudaTextureObject_t texture, float* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = tex1Dfetch<float>(texture, n - 1 - i);
}

// Every thread has a texture of its own, and some have none.
__global__ void fetch_own(const cudaTextureObject_t* textures, float* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = i % 4 == 1 ? -1.0f : tex1Dfetch<float>(textures[i % 3], i);
}

__global__ void sample(cudaTextureObject_t texture, const float2* at, float* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = tex2D<float>(texture, at[i].x, at[i].y);
}

__global__ void sample_pixels(cudaTextureObject_t texture, const float2* at, float4* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = tex2D<float4>(texture, at[i].x, at[i].y);
}

__global__ void write_surface(cudaSurfaceObject_t surface, int width, int height) {
  const int x = threadIdx.x, y = blockIdx.x;
  if (x < width && y < height) surf2Dwrite(x * 10.0f + y, surface, x * 4, y);
}

constexpr int kWidth = 16, kHeight = 12;

float texel(const std::vector<float>& image, int x, int y, cudaTextureAddressMode mode) {
  const auto resolve = [mode](int v, int size, bool& outside) {
    switch (mode) {
      case cudaAddressModeWrap: return (v % size + size) % size;
      case cudaAddressModeMirror: {
        const int m = (v % (2 * size) + 2 * size) % (2 * size);
        return m < size ? m : 2 * size - 1 - m;
      }
      case cudaAddressModeBorder: outside |= v < 0 || v >= size; [[fallthrough]];
      default: return v < 0 ? 0 : v >= size ? size - 1 : v;
    }
  };
  bool outside = false;
  const int cx = resolve(x, kWidth, outside), cy = resolve(y, kHeight, outside);
  return outside ? 0 : image[cy * kWidth + cx];
}

float reference(const std::vector<float>& image, float2 at, bool linear, bool normalised,
                cudaTextureAddressMode mode) {
  float x = at.x, y = at.y;
  if (normalised) {
    x *= kWidth;
    y *= kHeight;
  }
  if (!linear) return texel(image, int(std::floor(x)), int(std::floor(y)), mode);
  x -= 0.5f;
  y -= 0.5f;
  const int ix = int(std::floor(x)), iy = int(std::floor(y));
  // Weights have eight fractional bits.
  const float a = std::round((x - ix) * 256) / 256, b = std::round((y - iy) * 256) / 256;
  return (1 - a) * (1 - b) * texel(image, ix, iy, mode) +
         a * (1 - b) * texel(image, ix + 1, iy, mode) +
         (1 - a) * b * texel(image, ix, iy + 1, mode) + a * b * texel(image, ix + 1, iy + 1, mode);
}

int main() {
  const int n = 400;
  check::Random random(91);
  std::vector<float> line(n);
  for (int i = 0; i < n; ++i) line[i] = i * 1.5f;
  check::DeviceArray<float> linear_memory(line), out(n);
  cudaResourceDesc resource{};
  resource.resType = cudaResourceTypeLinear;
  resource.res.linear.devPtr = linear_memory.get();
  resource.res.linear.desc = cudaCreateChannelDesc<float>();
  resource.res.linear.sizeInBytes = n * sizeof(float);
  cudaTextureDesc description{};
  description.readMode = cudaReadModeElementType;
  cudaTextureObject_t texture;
  CUDA_OK(cudaCreateTextureObject(&texture, &resource, &description, nullptr));
  fetch<<<4, 128>>>(texture, out, n);
  KERNEL_OK();
  auto r = out.host();
  for (int i = 0; i < n; ++i) EXPECT_EQ(r[i], line[n - 1 - i], "%d", i);

  std::vector<cudaTextureObject_t> own = {texture};
  for (int i = 1; i < 3; ++i) {
    // Each starts a bit further on.
    resource.res.linear.devPtr = linear_memory.get() + 128 * i;
    resource.res.linear.sizeInBytes = (n - 128 * i) * sizeof(float);
    own.emplace_back();
    CUDA_OK(cudaCreateTextureObject(&own.back(), &resource, &description, nullptr));
  }
  check::DeviceArray<cudaTextureObject_t> device_own(own);
  fetch_own<<<1, 128>>>(device_own, out, 120);
  KERNEL_OK();
  r = out.host();
  for (int i = 0; i < 120; ++i) {
    EXPECT_EQ(r[i], i % 4 == 1 ? -1.0f : line[128 * (i % 3) + i], "%d", i);
  }
  for (const cudaTextureObject_t object : own) CUDA_OK(cudaDestroyTextureObject(object));

  std::vector<float> image(kWidth * kHeight);
  for (float& v : image) v = random.below(1000);
  cudaArray_t array;
  const cudaChannelFormatDesc channel = cudaCreateChannelDesc<float>();
  CUDA_OK(cudaMallocArray(&array, &channel, kWidth, kHeight, cudaArraySurfaceLoadStore));
  CUDA_OK(cudaMemcpy2DToArray(array, 0, 0, image.data(), kWidth * 4, kWidth * 4, kHeight,
                              cudaMemcpyHostToDevice));
  float* pitched;
  size_t pitch;
  CUDA_OK(cudaMallocPitch(&pitched, &pitch, kWidth * 4, kHeight));
  CUDA_OK(cudaMemcpy2D(pitched, pitch, image.data(), kWidth * 4, kWidth * 4, kHeight,
                       cudaMemcpyHostToDevice));
  for (const bool from_array : {true, false}) {
    for (const bool linear : {false, true}) {
      for (const bool normalised : {false, true}) {
        for (const auto mode : {cudaAddressModeClamp, cudaAddressModeBorder, cudaAddressModeWrap,
                                cudaAddressModeMirror}) {
          // Wrapping and mirroring exist for normalised coordinates only.
          if (!normalised && (mode == cudaAddressModeWrap || mode == cudaAddressModeMirror))
            continue;
          resource = {};
          if (from_array) {
            resource.resType = cudaResourceTypeArray;
            resource.res.array.array = array;
          } else {
            resource.resType = cudaResourceTypePitch2D;
            resource.res.pitch2D.devPtr = pitched;
            resource.res.pitch2D.desc = channel;
            resource.res.pitch2D.width = kWidth;
            resource.res.pitch2D.height = kHeight;
            resource.res.pitch2D.pitchInBytes = pitch;
          }
          description = {};
          description.addressMode[0] = description.addressMode[1] = mode;
          description.filterMode = linear ? cudaFilterModeLinear : cudaFilterModePoint;
          description.readMode = cudaReadModeElementType;
          description.normalizedCoords = normalised;
          CUDA_OK(cudaCreateTextureObject(&texture, &resource, &description, nullptr));
          std::vector<float2> at(n);
          for (float2& p : at) {
            // Multiples of 1/64 of a texel, never on a texel's edge.
            p.x = (int(random.below(40 * 64)) - 12 * 64 + 0.25f) / 64;
            p.y = (int(random.below(40 * 64)) - 12 * 64 + 0.25f) / 64;
            if (normalised) {
              p.x /= kWidth;
              p.y /= kHeight;
            }
          }
          check::DeviceArray<float2> device_at(at);
          sample<<<4, 128>>>(texture, device_at, out, n);
          KERNEL_OK();
          r = out.host();
          for (int i = 0; i < n; ++i) {
            const float expected = reference(image, at[i], linear, normalised, mode);
            if (linear) {
              // The hardware rounds weights to eight bits in a way that is not documented.
              EXPECT(std::fabs(r[i] - expected) <= 9.0f);
            } else {
              EXPECT_EQ(r[i], expected, "%g,%g mode %d normalised %d", at[i].x, at[i].y, int(mode),
                        int(normalised));
            }
          }
          CUDA_OK(cudaDestroyTextureObject(texture));
        }
      }
    }
  }

  // Bytes read as normalised floats.
  std::vector<uchar4> pixels(kWidth * kHeight);
  for (uchar4& p : pixels) {
    p = make_uchar4(random.below(256), random.below(256), random.below(256), random.below(256));
  }
  cudaArray_t colours;
  const cudaChannelFormatDesc rgba = cudaCreateChannelDesc<uchar4>();
  CUDA_OK(cudaMallocArray(&colours, &rgba, kWidth, kHeight));
  CUDA_OK(cudaMemcpy2DToArray(colours, 0, 0, pixels.data(), kWidth * 4, kWidth * 4, kHeight,
                              cudaMemcpyHostToDevice));
  resource = {};
  resource.resType = cudaResourceTypeArray;
  resource.res.array.array = colours;
  description = {};
  description.readMode = cudaReadModeNormalizedFloat;
  CUDA_OK(cudaCreateTextureObject(&texture, &resource, &description, nullptr));
  std::vector<float2> centres(kWidth * kHeight);
  for (int i = 0; i < kWidth * kHeight; ++i) {
    centres[i] = make_float2(i % kWidth + 0.5f, i / kWidth + 0.5f);
  }
  check::DeviceArray<float2> device_centres(centres);
  check::DeviceArray<float4> colour(kWidth * kHeight);
  sample_pixels<<<2, 128>>>(texture, device_centres, colour, kWidth * kHeight);
  KERNEL_OK();
  const auto c = colour.host();
  for (int i = 0; i < kWidth * kHeight; ++i) {
    EXPECT_NEAR(c[i].x, pixels[i].x / 255.0f, 1e-6, "%d", i);
    EXPECT_NEAR(c[i].w, pixels[i].w / 255.0f, 1e-6, "%d", i);
  }
  CUDA_OK(cudaDestroyTextureObject(texture));

  resource.res.array.array = array;
  cudaSurfaceObject_t surface;
  CUDA_OK(cudaCreateSurfaceObject(&surface, &resource));
  write_surface<<<kHeight, 32>>>(surface, kWidth, kHeight);
  KERNEL_OK();
  CUDA_OK(cudaMemcpy2DFromArray(image.data(), kWidth * 4, array, 0, 0, kWidth * 4, kHeight,
                                cudaMemcpyDeviceToHost));
  for (int i = 0; i < kWidth * kHeight; ++i) {
    EXPECT_EQ(image[i], i % kWidth * 10.0f + i / kWidth, "%d", i);
  }
  CUDA_OK(cudaDestroySurfaceObject(surface));
  CUDA_OK(cudaFreeArray(array));
  CUDA_OK(cudaFreeArray(colours));
  CUDA_OK(cudaFree(pitched));
  return check::finish("textures");
}
