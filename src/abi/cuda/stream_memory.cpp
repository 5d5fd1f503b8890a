// Operations of a stream on single values in memory: waiting for one, writing one, and lists of these.
#include "abi/cuda/api.h"
#include "memory/heap.h"
#include "runtime/copy.h"
#include "runtime/memory_wait.h"
#include "runtime/submit.h"

namespace guda::cuda {
namespace {

using memory::AllocationKind;
using memory::Heap;
using runtime::WaitCondition;

constexpr unsigned kFlushRemoteWrites = 1u << 30;

/// Memory of the device or pinned memory, aligned; managed memory is none, as in CUDA.
Error check_value(CUdeviceptr address, size_t bytes) {
  auto& heap = Heap::instance();
  auto found = heap.find(pointer_of(address));
  if (address % bytes != 0 || !found || !heap.in_bounds(pointer_of(address), bytes))
    return kInvalidValue;
  return found->kind == AllocationKind::managed ? kInvalidValue : kSuccess;
}

Error check_wait(CUdeviceptr address, size_t bytes, unsigned flags) {
  if (flags & kFlushRemoteWrites) return kNotSupported;  // attribute 98 says so
  // The host, which waits, does not see variables of machine code.
  auto found = Heap::instance().find(pointer_of(address));
  if (found && found->kind == AllocationKind::device_variable) return kNotSupported;
  return flags > 3 ? kInvalidValue : check_value(address, bytes);
}
Error check_write(CUdeviceptr address, size_t bytes, unsigned flags) {
  if (flags > 1) return kInvalidValue;
  auto found = Heap::instance().find(pointer_of(address));
  return found && found->read_only ? kInvalidValue : check_value(address, bytes);
}

Error wait(runtime::Stream& stream, CUdeviceptr address, size_t bytes, uint64_t value,
           unsigned flags) {
  if (Error error = check_wait(address, bytes, flags)) return error;
  return finish(runtime::submit(stream,
                                runtime::MemoryWaitOperation(pointer_of(address), bytes, value,
                                                             static_cast<WaitCondition>(flags)),
                                false));
}

Error write(runtime::Stream& stream, CUdeviceptr address, size_t bytes, uint64_t value,
            unsigned flags) {
  if (Error error = check_write(address, bytes, flags)) return error;
  runtime::CopyOperation copy({static_cast<std::byte*>(pointer_of(address)), bytes, bytes},
                              {reinterpret_cast<std::byte*>(&value), bytes, bytes}, {bytes, 1, 1},
                              runtime::CopyKind::host_to_device);
  copy.stage_source();
  return finish(runtime::submit(stream, std::move(copy), true));
}

/// Without its members for the driver's own use.
struct ValueOperation {
  int operation;
  CUdeviceptr address;
  uint64_t value;  // 32 bits of it count in operations of that width
  unsigned flags;
  CUdeviceptr alias;
};
union BatchOperation {
  int operation;
  ValueOperation value;
  struct {
    int operation;
    unsigned flags;
  } barrier;
  uint64_t pad[6];
};
static_assert(sizeof(BatchOperation) == 48);

// CUstreamBatchMemOpType.
enum BatchKind : int {
  kWait32 = 1,
  kWrite32 = 2,
  kFlush = 3,
  kWait64 = 4,
  kWrite64 = 5,
  kBarrier = 6,
};

Error batch(runtime::Stream& stream, unsigned count, const BatchOperation* list, unsigned flags) {
  if (count >= 256 || (count != 0 && !list) || flags != 0) return kInvalidValue;
  // All or nothing.
  for (unsigned i = 0; i < count; ++i) {
    const ValueOperation& each = list[i].value;
    const size_t bytes = each.operation == kWait64 || each.operation == kWrite64 ? 8 : 4;
    Error error = kInvalidValue;
    switch (each.operation) {
      case kWait32:
      case kWait64: error = check_wait(each.address, bytes, each.flags); break;
      case kWrite32:
      case kWrite64: error = check_write(each.address, bytes, each.flags); break;
      case kFlush: error = kNotSupported; break;
      case kBarrier: error = list[i].barrier.flags > 1 ? kInvalidValue : kSuccess; break;
      default: break;
    }
    if (error != kSuccess) return error;
  }
  for (unsigned i = 0; i < count; ++i) {
    const ValueOperation& each = list[i].value;
    Error error = kSuccess;  // a barrier: writes of a stream are seen in order anyway
    switch (each.operation) {
      case kWait32:
        error = wait(stream, each.address, 4, static_cast<uint32_t>(each.value), each.flags);
        break;
      case kWait64: error = wait(stream, each.address, 8, each.value, each.flags); break;
      case kWrite32:
        error = write(stream, each.address, 4, static_cast<uint32_t>(each.value), each.flags);
        break;
      case kWrite64: error = write(stream, each.address, 8, each.value, each.flags); break;
      default: break;
    }
    if (error != kSuccess) return error;
  }
  return kSuccess;
}

}  // namespace

GUDA_CU_PTSZ(cuStreamWaitValue32_v2,
             (CUstream handle, CUdeviceptr address, uint32_t value, unsigned flags),
             (handle, address, value, flags)) {
  GUDA_CU_ENTER_STREAM(handle);
  GUDA_CU_STREAM(stream, handle);
  return wait(*stream, address, 4, value, flags);
}
GUDA_CU_PTSZ(cuStreamWaitValue64_v2,
             (CUstream handle, CUdeviceptr address, uint64_t value, unsigned flags),
             (handle, address, value, flags)) {
  GUDA_CU_ENTER_STREAM(handle);
  GUDA_CU_STREAM(stream, handle);
  return wait(*stream, address, 8, value, flags);
}
GUDA_CU_PTSZ(cuStreamWriteValue32_v2,
             (CUstream handle, CUdeviceptr address, uint32_t value, unsigned flags),
             (handle, address, value, flags)) {
  GUDA_CU_ENTER_STREAM(handle);
  GUDA_CU_STREAM(stream, handle);
  return write(*stream, address, 4, value, flags);
}
GUDA_CU_PTSZ(cuStreamWriteValue64_v2,
             (CUstream handle, CUdeviceptr address, uint64_t value, unsigned flags),
             (handle, address, value, flags)) {
  GUDA_CU_ENTER_STREAM(handle);
  GUDA_CU_STREAM(stream, handle);
  return write(*stream, address, 8, value, flags);
}
GUDA_CU_PTSZ(cuStreamBatchMemOp_v2,
             (CUstream handle, unsigned count, const BatchOperation* list, unsigned flags),
             (handle, count, list, flags)) {
  GUDA_CU_ENTER_STREAM(handle);
  GUDA_CU_STREAM(stream, handle);
  return batch(*stream, count, list, flags);
}

}  // namespace guda::cuda
