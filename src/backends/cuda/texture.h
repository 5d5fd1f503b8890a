// Arrays, texture and surface objects of the device.
#pragma once

#include "backends/cuda/context.h"
#include "backends/texture_description.h"
#include "support/status.h"

#include <memory>
#include <vector>

namespace guda::backend::cuda {

/// A CUarray, or a CUmipmappedArray and its levels.
class CudaArray final : public DeviceArray {
 public:
  /// Errors: invalid_value, out_of_memory; not_supported when the driver lacks the functions.
  static Result<std::shared_ptr<DeviceArray>> create(std::shared_ptr<Context> context,
                                                     const ArrayDescription& description);
  ~CudaArray() override;
  CudaArray(const CudaArray&) = delete;
  CudaArray& operator=(const CudaArray&) = delete;

  /// Starts a copy between one level and rows that the device has at `address`.
  Status copy(StreamHandle stream, uint32_t level, DevicePointer address, const ArrayRows& rows,
              bool to_array) const;
  /// Of a mipmapped array, all of it; of a surface, one level.
  ResourceDescriptor resource() const;
  Result<ResourceDescriptor> level_resource(uint32_t level) const;

 private:
  CudaArray(std::shared_ptr<Context> context, const ArrayDescription& description)
      : context_(std::move(context)), description_(description) {}
  Status allocate();

  std::shared_ptr<Context> context_;
  ArrayDescription description_;
  MipmappedArrayHandle mipmapped_ = nullptr;
  std::vector<ArrayHandle> levels_;  // one without a mipmapped array
};

/// `address`: where the device has description.address.
Result<std::unique_ptr<DeviceTexture>> create_cuda_texture(std::shared_ptr<Context> context,
                                                           const TextureDescription& description,
                                                           DevicePointer address);
Result<std::unique_ptr<DeviceTexture>> create_cuda_surface(std::shared_ptr<Context> context,
                                                           std::shared_ptr<const DeviceArray> array,
                                                           uint32_t level);

/// The driver has all the functions.
bool has_textures(const DriverApi& api);

}  // namespace guda::backend::cuda
