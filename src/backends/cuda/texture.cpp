#include "backends/cuda/texture.h"

#include <fmt/format.h>

#include <algorithm>

namespace guda::backend::cuda {
namespace {

/// CUDA_ARRAY3D_LAYERED, _SURFACE_LDST, _CUBEMAP, _TEXTURE_GATHER: those that change what an array can do.
constexpr unsigned kArrayFlags = 1 | 2 | 4 | 8;

int format_of(TexelFormat format) {
  switch (format) {
    case TexelFormat::u8: return kFormatU8;
    case TexelFormat::s8: return kFormatS8;
    case TexelFormat::u16: return kFormatU16;
    case TexelFormat::s16: return kFormatS16;
    case TexelFormat::u32: return kFormatU32;
    case TexelFormat::s32: return kFormatS32;
    case TexelFormat::f16: return kFormatF16;
    case TexelFormat::f32: break;
  }
  return kFormatF32;
}

TextureDescriptor descriptor_of(const Sampling& sampling) {
  TextureDescriptor out;
  for (size_t i = 0; i < 3; ++i) out.address_mode[i] = static_cast<int>(sampling.address_mode[i]);
  out.filter_mode = sampling.linear_filter ? 1 : 0;
  out.flags = (sampling.reads_elements ? kReadAsInteger : 0) |
              (sampling.normalized_coordinates ? kNormalizedCoordinates : 0) |
              (sampling.srgb ? kSrgb : 0) |
              (sampling.trilinear_optimization ? 0 : kNoTrilinearOptimization) |
              (sampling.seamless_cubemap ? kSeamlessCubemap : 0);
  out.max_anisotropy = sampling.max_anisotropy;
  out.mipmap_filter_mode = sampling.linear_mip_filter ? 1 : 0;
  out.mipmap_level_bias = sampling.mip_bias;
  out.min_mipmap_level = sampling.min_mip_level;
  out.max_mipmap_level = sampling.max_mip_level;
  std::copy(sampling.border_color.begin(), sampling.border_color.end(), out.border_color);
  return out;
}

ResourceViewDescriptor descriptor_of(const TextureView& view) {
  ResourceViewDescriptor out;
  out.format = view.format;
  out.width = view.width;
  out.height = view.height;
  out.depth = view.depth;
  out.first_level = view.first_level;
  out.last_level = view.last_level;
  out.first_layer = view.first_layer;
  out.last_layer = view.last_layer;
  return out;
}

/// Destroyed with the function that belongs to its kind.
class CudaTexture final : public DeviceTexture {
 public:
  CudaTexture(std::shared_ptr<Context> context, std::shared_ptr<const DeviceArray> array,
              TextureHandle handle, bool surface)
      : context_(std::move(context)),
        array_(std::move(array)),
        handle_(handle),
        surface_(surface) {}
  ~CudaTexture() override {
    context_->enter();
    const DriverApi& api = context_->api();
    (void)context_->check((surface_ ? api.surface_destroy : api.texture_destroy)(handle_),
                          "the end of a texture");
  }
  CudaTexture(const CudaTexture&) = delete;
  CudaTexture& operator=(const CudaTexture&) = delete;

  uint64_t handle() const override { return handle_; }

 private:
  std::shared_ptr<Context> context_;
  std::shared_ptr<const DeviceArray> array_;  // what it shows must not go before
  TextureHandle handle_;
  bool surface_;
};

}  // namespace

bool has_textures(const DriverApi& api) {
  return api.array_create && api.array_destroy && api.mipmapped_create && api.mipmapped_level &&
         api.mipmapped_destroy && api.copy_3d && api.texture_create && api.texture_destroy &&
         api.surface_create && api.surface_destroy;
}

Result<std::shared_ptr<DeviceArray>> CudaArray::create(std::shared_ptr<Context> context,
                                                       const ArrayDescription& description) {
  if (!has_textures(context->api()))
    return Status(StatusCode::not_supported, "the driver has no texture objects");
  std::shared_ptr<CudaArray> array(new CudaArray(std::move(context), description));
  if (Status status = array->allocate(); !status) return status;
  return std::shared_ptr<DeviceArray>(std::move(array));
}

Status CudaArray::allocate() {
  context_->enter();
  const DriverApi& api = context_->api();
  ArrayDescriptor descriptor{description_.width,    description_.height,
                             description_.depth,    format_of(description_.format),
                             description_.channels, description_.flags & kArrayFlags};
  const std::string what = fmt::format("an array of {} x {} x {}", description_.width,
                                       description_.height, description_.depth);
  if (description_.levels == 0) {
    ArrayHandle array = nullptr;
    Status status = context_->check(api.array_create(&array, &descriptor), what);
    if (status) levels_.push_back(array);
    return status;
  }
  if (Status status = context_->check(
          api.mipmapped_create(&mipmapped_, &descriptor, description_.levels), what);
      !status)
    return status;
  for (uint32_t i = 0; i < description_.levels; ++i) {
    ArrayHandle array = nullptr;
    if (Status status = context_->check(api.mipmapped_level(&array, mipmapped_, i),
                                        "a level of a mipmapped array");
        !status)
      return status;
    levels_.push_back(array);
  }
  return Status::ok();
}

CudaArray::~CudaArray() {
  context_->enter();
  const DriverApi& api = context_->api();
  if (mipmapped_ != nullptr)
    (void)context_->check(api.mipmapped_destroy(mipmapped_), "the end of a mipmapped array");
  else if (!levels_.empty())
    (void)context_->check(api.array_destroy(levels_.front()), "the end of an array");
}

Status CudaArray::copy(StreamHandle stream, uint32_t level, DevicePointer address,
                       const ArrayRows& rows, bool to_array) const {
  if (level >= levels_.size()) return {StatusCode::invalid_value, "the array has no such level"};
  CopySide3D memory;
  memory.memory_type = kMemoryDevice;
  memory.device = address;
  memory.pitch = rows.pitch;
  memory.height = rows.pitch == 0 ? 0 : rows.slice / rows.pitch;
  CopySide3D array;
  array.memory_type = kMemoryArray;
  array.array = levels_[level];
  Copy3D copy;
  copy.from = to_array ? memory : array;
  copy.to = to_array ? array : memory;
  copy.width_bytes = description_.level_width(level) * description_.element_bytes();
  copy.height = description_.level_rows(level);
  copy.depth = description_.level_slices(level);
  context_->enter();
  return context_->check(context_->api().copy_3d(&copy, stream),
                         to_array ? "filling an array" : "copying an array");
}

ResourceDescriptor CudaArray::resource() const {
  ResourceDescriptor resource;
  if (mipmapped_ != nullptr) {
    resource.type = kResourceMipmapped;
    resource.of.mipmapped.handle = mipmapped_;
  } else {
    resource.type = kResourceArray;
    resource.of.array.handle = levels_.front();
  }
  return resource;
}

Result<ResourceDescriptor> CudaArray::level_resource(uint32_t level) const {
  if (level >= levels_.size())
    return Status(StatusCode::invalid_value, "the array has no such level");
  ResourceDescriptor resource;
  resource.type = kResourceArray;
  resource.of.array.handle = levels_[level];
  return resource;
}

Result<std::unique_ptr<DeviceTexture>> create_cuda_texture(std::shared_ptr<Context> context,
                                                           const TextureDescription& description,
                                                           DevicePointer address) {
  const DriverApi& api = context->api();
  if (!has_textures(api))
    return Status(StatusCode::not_supported, "the driver has no texture objects");
  ResourceDescriptor resource;
  if (description.array != nullptr) {
    resource = static_cast<const CudaArray&>(*description.array).resource();
  } else if (description.height == 0) {
    resource.type = kResourceLinear;
    resource.of.linear = {address, format_of(description.format), description.channels,
                          description.memory_bytes()};
  } else {
    resource.type = kResourcePitched;
    resource.of.pitched = {address,
                           format_of(description.format),
                           description.channels,
                           description.width,
                           description.height,
                           description.pitch};
  }
  const TextureDescriptor texture = descriptor_of(description.sampling);
  ResourceViewDescriptor view;
  if (description.view) view = descriptor_of(*description.view);
  context->enter();
  TextureHandle handle = 0;
  if (Status status = context->check(
          api.texture_create(&handle, &resource, &texture, description.view ? &view : nullptr),
          "cuTexObjectCreate");
      !status) {
    // A driver that takes the same texture over memory of cudaMalloc may refuse it over a mapped range (read on an H200).
    if (description.array == nullptr && status.code() == StatusCode::invalid_value)
      return Status(StatusCode::not_supported, status.message());
    return status;
  }
  return std::unique_ptr<DeviceTexture>(
      std::make_unique<CudaTexture>(std::move(context), description.array, handle, false));
}

Result<std::unique_ptr<DeviceTexture>> create_cuda_surface(std::shared_ptr<Context> context,
                                                           std::shared_ptr<const DeviceArray> array,
                                                           uint32_t level) {
  auto resource = static_cast<const CudaArray&>(*array).level_resource(level);
  if (!resource) return resource.status();
  context->enter();
  TextureHandle handle = 0;
  if (Status status =
          context->check(context->api().surface_create(&handle, &*resource), "cuSurfObjectCreate");
      !status)
    return status;
  return std::unique_ptr<DeviceTexture>(
      std::make_unique<CudaTexture>(std::move(context), std::move(array), handle, true));
}

}  // namespace guda::backend::cuda
