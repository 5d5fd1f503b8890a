// The one interface between GUDA and an engine: a CPU, a CUDA device, an OpenCL device.
//
// A device runs kernels and matrix products in its own memory. The program sees one address per
// allocation; map() gives the device memory for such a range, and every function here names device memory
// by the program's address. What is current where is the coherent pool's business (memory/coherent_pool.h);
// what runs where the scheduler's. A backend has no policy.
//
// Results: every function that can fail returns a Status. `not_supported` means that the device will never
// do this (the message says why), and the caller goes elsewhere; out_of_memory that it might later. Any other
// failure of a kernel has the code that CUDA gives. After device_lost() nothing but destruction is called.
//
// Threads: a Device may be used from any thread; a Queue from one thread at a time; a Mark from any.
#pragma once

#include "backends/box.h"
#include "backends/machine_code.h"
#include "backends/texture_description.h"
#include "compiler/driver/kernel_abi.h"
#include "support/status.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace guda::backend {

using kernel::Dim3;

struct DeviceInfo {
  std::string backend;  // "cuda", as GUDA_DEVICES names it
  uint32_t ordinal = 0;  // "cuda:1" has 1
  std::string name;  // the product's name
  std::string driver;  // version text; part of what calibration is remembered for
  uint64_t memory_bytes = 0;  // its own memory; 0 when it works in the host's
  uint32_t compute_units = 1;
  /// Works in host memory at the program's addresses: map, upload and download are never called.
  bool host_memory = false;
  /// An address of ours is valid in device code wherever the kernel read it. Otherwise only pointers that are
  /// kernel parameters are translated, and kernels that follow others must not be sent here.
  bool stored_pointers = false;
  /// Mapped ranges are as far apart on the device as in the program, so that one pointer reaches neighbours. True with
  /// stored_pointers.
  bool same_distances = false;
  /// Has arrays, textures and surfaces: create_array() and what belongs to it.
  bool textures = false;
  /// Computes on the host's own cores: of no use beside the CPU engine unless asked for by name.
  bool host_cores = false;
  /// upload() has read pageable host memory when it returns; only memory that the device reaches itself is read later.
  bool reads_at_once = false;
  /// Has memory that the program and kernels reach at one address: allocate_shared() and what follows it.
  bool shared_memory = false;
  /// map() takes ranges that start and end at multiples of this; a power of two.
  size_t map_alignment = 4096;

  /// "cuda:1".
  std::string id() const { return backend + ':' + std::to_string(ordinal); }
};

/// Kinds of memory that the program and devices reach at one address.
enum class SharedKind : uint8_t {
  pinned,  // stays with the host, whose contents devices read and write where they are
  managed,  // goes to whoever uses it
};

/// A module-scope variable: where the program sees it.
struct Variable {
  std::string_view name;
  void* address = nullptr;
  size_t size = 0;
  bool constant = false;
};

/// A kernel as the program brought it. Views are valid during the call only.
struct KernelSource {
  std::string_view ptx;  // the whole module, linked
  std::array<uint64_t, 2> ptx_hash{};  // of that text
  std::string_view module_name;  // for messages
  std::string_view kernel;  // mangled
  Dim3 block{0, 0, 0};  // dimensions that it will be launched with; zeros: any
  std::span<const Variable> variables;  // of the module
  /// Offsets in the parameter block of the parameters that are addresses, as far as the compiler knows; devices without
  /// stored_pointers need them.
  std::span<const uint32_t> pointer_offsets;
};

/// A kernel made ready for one device; the device keeps what it needs alive.
class DeviceKernel {
 public:
  virtual ~DeviceKernel() = default;
};

struct Launch {
  const DeviceKernel* kernel = nullptr;
  std::span<const std::byte> params;  // laid out as PTX says; copied by launch()
  Dim3 grid{1, 1, 1};  // %nctaid, also of a slice
  Dim3 block{1, 1, 1};
  Dim3 first{0, 0, 0};  // the slice: blocks first <= b < first + count
  Dim3 count{1, 1, 1};
  uint32_t dynamic_shared_bytes = 0;
  bool cooperative = false;
  Dim3 cluster{1, 1, 1};  // blocks of a thread block cluster; whole launches only

  bool clustered() const { return cluster.x != 1 || cluster.y != 1 || cluster.z != 1; }
  bool whole() const {
    return first.x == 0 && first.y == 0 && first.z == 0 && count.x == grid.x && count.y == grid.y &&
           count.z == grid.z;
  }
};

enum class ElementType : uint8_t { f32, f64, c32, c64, f16, bf16, s8 };
enum class Transpose : uint8_t { none, transpose, conjugate };

/// C = alpha op(A) op(B) + beta C, column-major, all matrices in device memory by the program's addresses.
/// Sums are f32 for f16 and bf16, s32 for s8; `alpha` and `beta` point to host values of the sum's type, read by gemm().
struct GemmProblem {
  ElementType input = ElementType::f32;
  ElementType output = ElementType::f32;  // s8 products have s32 output, see sums_out
  bool sums_out = false;  // C has the type of the sums
  Transpose transpose_a = Transpose::none, transpose_b = Transpose::none;
  int64_t m = 0, n = 0, k = 0;
  const void* alpha = nullptr;
  const void* a = nullptr;
  int64_t lda = 0;
  const void* b = nullptr;
  int64_t ldb = 0;
  const void* beta = nullptr;
  void* c = nullptr;
  int64_t ldc = 0;
};

/// A point in a queue's order.
class Mark {
 public:
  virtual ~Mark() = default;
  /// Everything before it has finished.
  virtual bool reached() const = 0;
  /// Waits. Errors: those of the work before it.
  virtual Status wait() = 0;
  /// Nanoseconds from `earlier` (reached, of the same device) to this mark (reached), by the device's clock;
  /// empty when the device keeps no time.
  virtual std::optional<int64_t> since(const Mark& earlier) const = 0;
};

class Device;
class LibraryCall;

/// Work that a queue was given once and can do again and again (Queue::begin_recording).
class Recording {
 public:
  virtual ~Recording() = default;
};

/// Work in order, asynchronous to the host. Destruction waits for it. When a call fails, copies handed over before have
/// ended when synchronize(), whatever it answers, has returned: nothing touches host memory behind the caller's back.
class Queue {
 public:
  virtual ~Queue() = default;

  virtual Status launch(const Launch& launch) = 0;
  /// `host` must stay valid until the copy has finished (see DeviceInfo::reads_at_once).
  virtual Status upload(void* address, const void* host, size_t bytes) = 0;
  virtual Status download(void* host, const void* address, size_t bytes) = 0;
  /// Within the device's memory; ranges do not overlap.
  virtual Status copy(void* to, const void* from, size_t bytes) = 0;
  /// From the memory of `device`, another one that can_copy_from() admits, into this queue's; both are program's
  /// addresses. What is there was finished before. Errors: not_supported: through the host, then.
  virtual Status copy_from_peer(const Device& device, void* to, const void* from, size_t bytes) {
    (void)device, (void)to, (void)from, (void)bytes;
    return {StatusCode::not_supported, "the backend has no copies between devices"};
  }
  /// Repeats the low `element` bytes (1, 2 or 4) of `value`.
  virtual Status fill(void* address, uint32_t value, uint32_t element, size_t bytes) = 0;
  /// upload(), download() and copy() of boxes, which do not overlap; row by row where a backend has nothing better.
  virtual Status copy_box(CopyWay way, const BoxSide& to, const BoxSide& from, const Box& box) {
    Status status;
    for (size_t z = 0; status && z < box.depth; ++z) {
      for (size_t y = 0; status && y < box.height; ++y) {
        status = way == CopyWay::to_device ? upload(to.row(y, z), from.row(y, z), box.width)
                 : way == CopyWay::to_host ? download(to.row(y, z), from.row(y, z), box.width)
                                           : copy(to.row(y, z), from.row(y, z), box.width);
      }
    }
    return status;
  }
  /// fill() of a box's rows.
  virtual Status fill_box(const BoxSide& to, const Box& box, uint32_t value, uint32_t element) {
    Status status;
    for (size_t z = 0; status && z < box.depth; ++z) {
      for (size_t y = 0; status && y < box.height; ++y)
        status = fill(to.row(y, z), value, element, box.width);
    }
    return status;
  }
  virtual Status gemm(const GemmProblem& problem) {
    (void)problem;
    return {StatusCode::not_supported, "the backend has no matrix product"};
  }

  /// A call of cuBLAS as the program made it (library_call.h), by the vendor's library. Results that it returns in host
  /// memory are there when it comes back. Errors: not_supported also where the call is refused, see LibraryCall::refusal;
  /// out_of_memory.
  virtual Status call(LibraryCall& call) {
    (void)call;
    return {StatusCode::not_supported, "the backend has no cuBLAS"};
  }

  /// Between one level of an array and the device's memory at a program's address.
  virtual Status copy_to_array(DeviceArray& array, uint32_t level, const ArrayRows& from) {
    (void)array, (void)level, (void)from;
    return {StatusCode::not_supported, "the backend has no arrays"};
  }
  virtual Status copy_from_array(const ArrayRows& to, const DeviceArray& array, uint32_t level) {
    (void)to, (void)array, (void)level;
    return {StatusCode::not_supported, "the backend has no arrays"};
  }

  /// Managed memory of allocate_shared() will be used next by the device, or by the host: a hint. Errors: not_supported.
  virtual Status prefetch(const void* address, size_t bytes, bool to_host) {
    (void)address, (void)bytes, (void)to_host;
    return {StatusCode::not_supported, "the backend does not prefetch"};
  }

  virtual Result<std::unique_ptr<Mark>> mark() = 0;
  /// A mark for order alone: since() may know nothing of it. Cheaper on some devices.
  virtual Result<std::unique_ptr<Mark>> mark_order() { return mark(); }
  /// Later work waits for `mark`, of the same device.
  virtual Status wait_for(const Mark& mark) = 0;
  /// Makes ready what gemm() needs on this queue: before a recording, since libraries allocate.
  virtual Status prepare_products() { return Status::ok(); }

  /// Until end_recording() nothing that this queue is given is done: it is kept. Queues that wait for a mark made
  /// meanwhile take part, and this one has to wait for their marks before the end; what does not wait for each other may
  /// run side by side. Queues that take part have no work under way, and such marks are for them alone. Arguments and
  /// scalars are copied now; host memory is read and written each time. After a failure end_recording() is called all the
  /// same. Errors: not_supported, also of calls that cannot be recorded.
  virtual Status begin_recording() {
    return {StatusCode::not_supported, "the backend has no recordings"};
  }
  /// Every queue is as it was before. The recording is destroyed before its kernels and the queues that took part, and
  /// after the caller has waited for its work. Errors: of what was recorded.
  virtual Result<std::shared_ptr<Recording>> end_recording() {
    return Status(StatusCode::not_supported, "the backend has no recordings");
  }
  /// All of it, as one piece of work of this queue; a recording runs once at a time.
  virtual Status replay(const std::shared_ptr<Recording>& recording) {
    (void)recording;
    return {StatusCode::not_supported, "the backend has no recordings"};
  }

  /// Starts what has been handed over, without waiting.
  virtual Status flush() { return Status::ok(); }
  /// Waits for all that was handed over before; from any thread. Errors: those of execution; the first one is reported,
  /// then the queue is usable again unless the device is lost.
  virtual Status synchronize() = 0;
};

class Device {
 public:
  virtual ~Device() = default;

  virtual const DeviceInfo& info() const = 0;
  /// False once the device has vanished or can no longer be trusted.
  virtual bool usable() const = 0;

  /// Where map() takes ranges from; empty: anywhere. A CUDA driver gives memory only at addresses that it has reserved
  /// itself, so it reserves this range once; its host side is inaccessible until the program's memory is mapped over it
  /// (MAP_FIXED), which neither map() nor unmap() disturbs. All devices of a backend share one range; it is never given
  /// back.
  virtual std::span<std::byte> address_space() const { return {}; }
  /// Gives the range memory of the device's own; contents undefined. `host_file`, when not negative, is the
  /// file whose first page the host has at `address`: a backend may map it a second time for transfers. Without it
  /// transfers between the two sides of the range work too, but slower.
  /// Errors: out_of_memory, invalid_value (overlaps a mapped range, wrong alignment).
  virtual Status map(void* address, size_t bytes, int host_file = -1) = 0;
  /// Errors: invalid_value unless exactly a mapped range. The caller has waited for work that uses it.
  virtual Status unmap(void* address, size_t bytes) = 0;
  /// Device memory that map() could still get; 0 when unknown.
  virtual uint64_t free_bytes() const { return 0; }

  /// Queues of this device can take memory of `peer` without a stay in host memory.
  virtual bool can_copy_from(const Device& peer) const {
    (void)peer;
    return false;
  }

  /// Memory at one address in the program and in device code, coherent as CUDA says for that kind: never mapped, never
  /// sent. All devices of the backend reach it, whichever of them gave it; queues take addresses in it both as the
  /// device's and as the host's. Page-aligned. It may wait for work of the device's.
  /// Errors: not_supported (without DeviceInfo::shared_memory, or not of this kind), out_of_memory.
  virtual Result<void*> allocate_shared(size_t bytes, SharedKind kind) {
    (void)bytes, (void)kind;
    return no_shared_memory();
  }
  /// Errors: invalid_value unless allocate_shared() gave it. The caller has waited for work that uses it.
  virtual Status free_shared(void* address) {
    (void)address;
    return no_shared_memory();
  }
  /// Makes memory of the program's own, in whole bytes, reachable as if it came from allocate_shared(pinned).
  /// Errors: not_supported, also for memory that the device does not take; invalid_value when it overlaps such memory.
  virtual Status register_host(void* address, size_t bytes) {
    (void)address, (void)bytes;
    return no_shared_memory();
  }
  /// Errors: invalid_value unless register_host() took it. The caller has waited for work that uses it.
  virtual Status unregister_host(void* address) {
    (void)address;
    return no_shared_memory();
  }

  /// How managed memory of allocate_shared() will be used: `advice` is a cudaMemoryAdvise, about this device or the host.
  /// A hint. Errors: not_supported.
  virtual Status advise(const void* address, size_t bytes, int advice, bool about_host) {
    (void)address, (void)bytes, (void)advice, (void)about_host;
    return {StatusCode::not_supported, "the backend takes no advice"};
  }

  /// Errors: not_supported with the reason, invalid_ptx, out_of_memory.
  virtual Result<std::shared_ptr<DeviceKernel>> load(const KernelSource& source) = 0;
  /// Machine code for this device, as the program brought it (a cubin, a fatbin); `image` is not needed after the call.
  /// Its kernels take addresses as the program has them and are launched whole. Errors: no_binary_for_gpu,
  /// invalid_image, not_supported, out_of_memory.
  virtual Result<std::shared_ptr<MachineCode>> load_machine_code(const void* image,
                                                                 const std::string& name) {
    (void)image, (void)name;
    return Status(StatusCode::not_supported, "the backend takes no machine code");
  }
  virtual Result<std::unique_ptr<Queue>> create_queue() = 0;
  /// Makes ready what Queue::gemm needs for products of these types and transposes, so that the first one takes no longer
  /// than others: programs are built here. Errors as load().
  virtual Status prepare_gemm(const GemmProblem& problem) {
    (void)problem;
    return Status::ok();
  }

  /// Whether queues have a library for Queue::call(), with this function (a literal). The first question loads it.
  virtual bool has_library_function(const char* name) {
    (void)name;
    return false;
  }

  /// An array with undefined contents, and objects that read and write arrays or mapped memory. The handles of textures
  /// are one set of numbers, those of surfaces another. Objects keep their arrays alive; they are destroyed when nothing
  /// uses them any more, and before the device. Errors: invalid_value for what the device's textures cannot do,
  /// out_of_memory, not_supported.
  virtual Result<std::shared_ptr<DeviceArray>> create_array(const ArrayDescription& description) {
    (void)description;
    return Status(StatusCode::not_supported, "the backend has no arrays");
  }
  virtual Result<std::unique_ptr<DeviceTexture>> create_texture(
      const TextureDescription& description) {
    (void)description;
    return Status(StatusCode::not_supported, "the backend has no textures");
  }
  virtual Result<std::unique_ptr<DeviceTexture>> create_surface(
      // NOLINTNEXTLINE(performance-unnecessary-value-param): devices with surfaces keep it
      std::shared_ptr<const DeviceArray> array, uint32_t level) {
    (void)array, (void)level;
    return Status(StatusCode::not_supported, "the backend has no surfaces");
  }

  /// Value of a cudaDeviceAttr when the device defines what programs see of it (CUDA devices); else empty.
  virtual std::optional<int> cuda_attribute(int attribute) const {
    (void)attribute;
    return std::nullopt;
  }

 private:
  static Status no_shared_memory() {
    return {StatusCode::not_supported, "the device has memory of its own only"};
  }
};

/// What looking for a backend's devices gave.
struct Discovery {
  std::vector<std::unique_ptr<Device>> devices;
  /// Why there are none or fewer, for `guda doctor`: "libOpenCL.so.1 not found".
  std::string note;
};

}  // namespace guda::backend
