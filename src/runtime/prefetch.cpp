#include "runtime/prefetch.h"

#include "runtime/stream.h"
#include "support/log.h"

#include <algorithm>

namespace guda::runtime {

void Prefetcher::add_device(memory::Space space) {
  devices_.push_back(std::make_unique<Device>(space));
}

void Prefetcher::look(const std::shared_ptr<Stream>& stream) {
  for (auto& device : devices_) {
    if (pool_.hung(device->space)) continue;
    const std::lock_guard lock(device->mutex);
    const bool known = std::any_of(
        device->streams.begin(), device->streams.end(),
        [&](const auto& each) { return !each.owner_before(stream) && !stream.owner_before(each); });
    if (!known) device->streams.push_back(stream);
    if (device->running) continue;
    device->running = device->thread.run([this, &device = *device] { serve(device); });
  }
}

void Prefetcher::serve(Device& device) {
  std::unique_lock lock(device.mutex);
  while (!device.streams.empty()) {
    const auto stream = device.streams.front().lock();
    device.streams.erase(device.streams.begin());
    if (!stream) continue;
    lock.unlock();
    serve(device, *stream);
    lock.lock();
  }
  device.running = false;
}

void Prefetcher::serve(Device& device, Stream& stream) {
  const uint64_t evictions = pool_.statistics().evictions;
  for (;;) {
    // Looked at again after each piece: operations end, and new ones come.
    const UpcomingWork work = stream.upcoming();
    const memory::Range range = next_to_prefetch(work, device.space, [&](memory::Range each) {
      return pool_.missing_bytes(device.space, {&each, 1}) > 0;
    });
    if (range.empty()) return;
    const auto turn = order_.take(MemoryOrder::kSeveral, {&range, 1}, {});
    if (!turn) return;  // somebody else's work writes there
    const auto brought = pool_.prefetch(device.space, range);
    if (!brought) {
      log(LogPart::memory, LogLevel::debug, "not brought ahead: {}", brought.status().message());
      return;
    }
    // Memory that work itself has to make room in is for work.
    if (*brought == 0 || pool_.statistics().evictions != evictions) return;
  }
}

}  // namespace guda::runtime
