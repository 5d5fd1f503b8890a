// To write a backend, copy this folder and fill in the functions in this order; tests/backends runs the
// conformance suite over what is there, and counts what answers not_supported as unsupported, not as failed.
//
//  1. discover_*(): open the vendor's library at run time through a table of symbols with own declarations.
//     A missing library is a normal state: no devices and a note for `guda doctor`.
//  2. map, unmap, and a Queue with upload, download, copy, fill, mark, synchronize.
//  3. load: the module's PTX, or device IR (compiler/device_ir) sent through the target's code generator.
//     Answer not_supported with the reason for what the device cannot run, before anything is launched.
//  4. Queue::launch, whole grids first, then slices: %ctaid starts at Launch::first, %nctaid stays the grid.
//  5. Queue::gemm when the vendor has a BLAS.
#include "backends/null/null_device.h"

namespace guda::backend {
namespace {

Status unsupported(const char* what) {
  return {StatusCode::not_supported, std::string("the null device has no ") + what};
}

/// Nothing is ever pending here. A real mark waits on the vendor's event.
class NullMark final : public Mark {
 public:
  bool reached() const override { return true; }
  Status wait() override { return Status::ok(); }
  std::optional<int64_t> since(const Mark&) const override { return std::nullopt; }
};

class NullQueue final : public Queue {
 public:
  Status launch(const Launch&) override { return unsupported("kernels"); }
  Status upload(void*, const void*, size_t) override { return unsupported("memory"); }
  Status download(void*, const void*, size_t) override { return unsupported("memory"); }
  Status copy(void*, const void*, size_t) override { return unsupported("memory"); }
  Status fill(void*, uint32_t, uint32_t, size_t) override { return unsupported("memory"); }
  Result<std::unique_ptr<Mark>> mark() override {
    return std::unique_ptr<Mark>(std::make_unique<NullMark>());
  }
  Status wait_for(const Mark&) override { return Status::ok(); }
  Status synchronize() override { return Status::ok(); }
};

class NullDevice final : public Device {
 public:
  NullDevice() {
    info_.backend = "null";
    info_.name = "null device";
  }
  const DeviceInfo& info() const override { return info_; }
  bool usable() const override { return true; }
  Status map(void*, size_t, int) override { return unsupported("memory"); }
  Status unmap(void*, size_t) override { return unsupported("memory"); }
  Result<std::shared_ptr<DeviceKernel>> load(const KernelSource&) override {
    return unsupported("kernels");
  }
  Result<std::unique_ptr<Queue>> create_queue() override {
    return std::unique_ptr<Queue>(std::make_unique<NullQueue>());
  }

 private:
  DeviceInfo info_;
};

}  // namespace

Discovery discover_null() {
  Discovery found;
  found.devices.push_back(std::make_unique<NullDevice>());
  return found;
}

}  // namespace guda::backend
