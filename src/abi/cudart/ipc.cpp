// Memory and events shared with other processes of this machine and user.
#include "abi/cudart/api.h"
#include "memory/heap.h"
#include "runtime/event.h"

#include <cstring>

namespace guda::cudart {
namespace {

using memory::AllocationKind;
using memory::Heap;
using runtime::Event;
using runtime::EventTable;

using IpcHandle = cudaIpcHandle;

// What a handle holds. Magic numbers keep handles of the two kinds, and foreign ones, apart.
struct MemoryContents {
  uint64_t magic;
  Heap::Shared shared;
};
struct EventContents {
  uint64_t magic;
  Event::Shared shared;
};
constexpr uint64_t kMemoryMagic = 0x6d656d2d61647567;
constexpr uint64_t kEventMagic = 0x7476652d61647567;
static_assert(sizeof(MemoryContents) <= sizeof(IpcHandle) &&
              sizeof(EventContents) <= sizeof(IpcHandle));

template <typename Contents>
void write_handle(IpcHandle* out, const Contents& contents) {
  std::memset(out, 0, sizeof *out);
  std::memcpy(out, &contents, sizeof contents);
}

template <typename Contents>
Contents read_handle(const IpcHandle& handle) {
  Contents contents;
  std::memcpy(static_cast<void*>(&contents), &handle, sizeof contents);
  return contents;
}

}  // namespace

GUDA_API(cudaIpcGetMemHandle)(IpcHandle* out, void* pointer) {
  GUDA_ENTER();
  if (!out || !pointer) return invalid_value();
  runtime::Context::instance()
      .synchronize();  // the memory moves into a file: nothing may use it meanwhile
  auto shared = Heap::instance().share(pointer);
  if (!shared) return finish(shared.status());
  write_handle(out, MemoryContents{kMemoryMagic, *shared});
  return kSuccess;
}

GUDA_API(cudaIpcOpenMemHandle)(void** out, IpcHandle handle, unsigned flags) {
  GUDA_ENTER();
  auto contents = read_handle<MemoryContents>(handle);
  if (!out || flags > 1 || contents.magic != kMemoryMagic) return invalid_value();
  auto memory = Heap::instance().import(contents.shared);
  if (!memory) return finish(memory.status());
  *out = *memory;
  return kSuccess;
}

GUDA_API(cudaIpcCloseMemHandle)(void* pointer) {
  GUDA_ENTER();
  runtime::Context::instance().synchronize();
  return finish(Heap::instance().release(pointer, memory::kind_bit(AllocationKind::imported)));
}

GUDA_API(cudaIpcGetEventHandle)(IpcHandle* out, cudaEvent_t handle) {
  GUDA_ENTER();
  auto event = EventTable::instance().find(handle);
  if (!event) return invalid_handle();
  if (!out || !(event->flags() & runtime::kEventInterprocess)) return invalid_value();
  auto shared = event->share();
  if (!shared) return finish(shared.status());
  write_handle(out, EventContents{kEventMagic, *shared});
  return kSuccess;
}

GUDA_API(cudaIpcOpenEventHandle)(cudaEvent_t* out, IpcHandle handle) {
  GUDA_ENTER();
  auto contents = read_handle<EventContents>(handle);
  if (!out || contents.magic != kEventMagic) return invalid_value();
  auto& table = EventTable::instance();
  Event* event = table.create(runtime::kEventInterprocess | runtime::kEventDisableTiming);
  if (Status status = event->attach(contents.shared); !status) {
    table.destroy(event);
    return finish(status);
  }
  *out = event;
  return kSuccess;
}

}  // namespace guda::cudart
