#include "backends/cpu/services.h"

#include <unistd.h>

#include <bit>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "backends/cpu/device_heap.h"
#include "backends/cpu/device_printf.h"
#include "backends/cpu/executor.h"
#include "backends/cpu/fiber_scheduler.h"
#include "backends/cpu/texture_table.h"
#include "backends/cpu/worker.h"
#include "support/log.h"
#include "support/relax.h"

namespace guda::cpu {
namespace {

using kernel::BlockState;
using kernel::ThreadState;

[[noreturn]] void unwind_launch(StatusCode code) {
  Worker& worker = *current_worker();
  worker.fault = {};
  worker.fault.kind = FaultRecord::Kind::service;
  worker.fault.code = code;
  guda_unwind(&worker.guard);
}

// Ends the calling thread of the kernel; in the SIMD tiers, where threads are lanes, the launch.
[[noreturn]] void leave_thread(StatusCode code) {
  Worker& worker = *current_worker();
  if (worker.fibers != nullptr) worker.fibers->exit_thread();
  if (worker.launch->mode() != Launch::Mode::threads) unwind_launch(code);
  worker.fault = {};
  worker.fault.kind = FaultRecord::Kind::next_thread;
  guda_unwind(&worker.guard);
}

int32_t vprintf_service(const BlockState*, const char* format, const void* arguments) {
  Worker& worker = *current_worker();
  char* text = worker.text();
  if (text == nullptr) return -1;
  const FormattedText result = format_device_text({text, Worker::kTextBytes}, format, arguments);
  append_device_text({text, result.length});
  return result.arguments;
}

void assert_fail_service(const BlockState* block, uint32_t tid_x, uint32_t tid_y, uint32_t tid_z,
                         const char* expression, const char* file, uint32_t line,
                         const char* function) {
  Worker& worker = *current_worker();
  const kernel::Dim3& index = block->index;
  if (char* text = worker.text(); text != nullptr) {
    const int length = std::snprintf(
        text, Worker::kTextBytes,
        "%s:%u: %s: block: [%u,%u,%u], thread: [%u,%u,%u] Assertion `%s` failed.\n", file, line,
        function, index.x, index.y, index.z, tid_x, tid_y, tid_z, expression);
    if (length > 0) {
      const size_t bytes = std::min<size_t>(static_cast<size_t>(length), Worker::kTextBytes - 1);
      [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text, bytes);
    }
  }
  worker.launch->fail({StatusCode::device_assert,
                       fmt::format("kernel {}: assertion failed", worker.launch->name())});
  leave_thread(StatusCode::device_assert);
}

void fault_service(const BlockState*, uint32_t error) {
  unwind_launch(static_cast<StatusCode>(error));
}

void* malloc_service(const BlockState*, uint64_t bytes) { return device_malloc(bytes); }

void free_service(const BlockState*, void* pointer) {
  if (!device_free(pointer)) unwind_launch(StatusCode::launch_failed);
}

uint64_t globaltimer_service() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
}

// The ISA allows any time from 0 to twice the argument: let others run, and come back.
void nanosleep_service(const BlockState*, uint32_t) {
  Worker& worker = *current_worker();
  if (worker.fibers != nullptr) {
    worker.fibers->yield();
  } else {
    relax();
  }
}

uint32_t barrier_service(ThreadState* thread, kernel::BarrierOp op, uint32_t id, uint32_t count,
                         uint32_t predicate) {
  Worker& worker = *current_worker();
  if (worker.fibers == nullptr) unwind_launch(StatusCode::launch_failed);  // flags were wrong
  return worker.fibers->barrier(thread, op, id, count, predicate);
}

uint64_t warp_op_service(ThreadState* thread, kernel::WarpOp op, uint32_t mask, uint64_t a,
                         uint32_t b, uint32_t c, uint32_t* predicate) {
  Worker& worker = *current_worker();
  if (worker.fibers == nullptr) unwind_launch(StatusCode::launch_failed);
  return worker.fibers->warp_op(thread, op, mask, a, b, c, predicate);
}

void yield_service(ThreadState*) {
  Worker& worker = *current_worker();
  if (worker.fibers != nullptr) {
    worker.fibers->yield();
  } else {
    relax();
  }
}

// Wild handles fault like wild pointers.
const Texture& texture_of(uint64_t handle, bool surface = false) {
  const TextureTables* tables = current_worker()->launch->textures();
  const Texture* texture = tables == nullptr ? reinterpret_cast<const Texture*>(handle)
                           : surface         ? tables->surfaces.find(handle)
                                             : tables->textures.find(handle);
  if (texture == nullptr) unwind_launch(StatusCode::illegal_address);
  return *texture;
}

void texture_service(const BlockState*, kernel::TexelGeometry geometry, uint32_t flags,
                     uint64_t texture, const uint32_t* coordinates, uint32_t* out) {
  fetch_texture(texture_of(texture), geometry, flags, coordinates, out);
}

void textures_service(const BlockState*, kernel::TexelGeometry geometry, uint32_t flags,
                      uint32_t lanes, uint64_t mask, const uint64_t* textures,
                      const uint32_t* coordinates, uint32_t* out) {
  while (mask != 0) {
    // Nearly always once: lanes seldom have textures of their own.
    const uint64_t handle = textures[std::countr_zero(mask)];
    uint64_t same = 0;
    for (uint32_t lane = 0; lane < lanes; ++lane)
      same |= uint64_t{textures[lane] == handle} << lane;
    fetch_textures(texture_of(handle), geometry, flags, lanes, mask & same, coordinates, out);
    mask &= ~same;
  }
}

void surface_service(const BlockState*, kernel::TexelGeometry geometry, uint32_t flags,
                     uint64_t surface, const uint32_t* coordinates, uint32_t bytes, void* data) {
  if (!access_surface(texture_of(surface, true), geometry, flags, coordinates, bytes, data)) {
    unwind_launch(StatusCode::launch_failed);
  }
}

uint32_t texture_query_service(const BlockState*, kernel::TextureProperty property,
                               uint64_t texture, uint32_t level) {
  const auto bits = static_cast<uint32_t>(property);
  const auto of_surface = static_cast<uint32_t>(kernel::TextureProperty::of_surface);
  return query_texture(texture_of(texture, (bits & of_surface) != 0),
                       static_cast<kernel::TextureProperty>(bits & ~of_surface), level);
}

void exit_thread_service(ThreadState*) { leave_thread(StatusCode::launch_failed); }

kernel::Services make_services() {
  kernel::Services table{};
  table.vprintf = vprintf_service;
  table.assert_fail = assert_fail_service;
  table.fault = fault_service;
  table.malloc = malloc_service;
  table.free = free_service;
  table.globaltimer = globaltimer_service;
  table.nanosleep = nanosleep_service;
  table.barrier = barrier_service;
  table.warp_op = warp_op_service;
  table.yield = yield_service;
  table.texture = texture_service;
  table.textures = textures_service;
  table.surface = surface_service;
  table.texture_query = texture_query_service;
  table.exit_thread = exit_thread_service;
  return table;
}

const kernel::Services g_services = make_services();

}  // namespace

const kernel::Services* services() { return &g_services; }

}  // namespace guda::cpu
