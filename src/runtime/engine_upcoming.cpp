// What queued operations will touch, and where they will probably run: what the prefetcher goes by.
#include "runtime/copy.h"
#include "runtime/engine_work.h"
#include "runtime/launch.h"
#include "scheduler/divisible_work.h"
#include "support/options.h"

#include "backends/cpu/cpu_device.h"

#include <algorithm>

namespace guda::runtime {

using memory::Range;

namespace {

bool same(const kernel::Dim3& a, const kernel::Dim3& b) {
  return a.x == b.x && a.y == b.y && a.z == b.z;
}

/// Memory that the program may write at any time is not sent ahead.
std::vector<Range> without_program(std::span<const Range> ranges,
                                   const std::vector<Range>& host_visible) {
  std::vector<Range> left;
  for (const Range& range : ranges) {
    const bool programs = std::any_of(host_visible.begin(), host_visible.end(), [&](Range each) {
      return range.begin < each.end && each.begin < range.end;
    });
    if (!programs) left.push_back(range);
  }
  return left;
}

}  // namespace

void Engines::start_prefetching() {
  if (home() != nullptr || !option_flag(Option::prefetch)) return;
  owned_prefetcher_ = std::make_unique<Prefetcher>(pool_, order_);
  bool any = false;
  for (auto& engine : engines_) {
    if (engine->space == memory::kHostSpace) continue;
    owned_prefetcher_->add_device(engine->space);
    any = true;
  }
  if (any) prefetcher_.store(owned_prefetcher_.get(), std::memory_order_release);
}

Engines::Place Engines::place_of(const scheduler::Decision& decision) const {
  Place place;
  for (const scheduler::Part& part : decision.all_parts()) {
    for (const auto& engine : engines_) {
      if (engine->index == part.engine && engine->space != memory::kHostSpace)
        place.parts.push_back({engine->space, {part.begin, part.begin + part.count}});
    }
  }
  place.whole = decision.part_count == 1 && !place.parts.empty();
  return place;
}

void Engines::ran_at(KernelOperation& operation, const scheduler::Decision& decision) {
  if (prefetcher() == nullptr) return;
  constexpr size_t kPlaces = 8;
  const LaunchConfiguration& configuration = operation.configuration();
  LaunchPlace ran{configuration.grid, configuration.block, place_of(decision)};
  std::unique_lock lock(kernels_mutex_);
  auto* known = static_cast<KernelOnEngines*>(operation.kernel().engine_data().get());
  if (known == nullptr) return;
  std::erase_if(known->places, [&](const LaunchPlace& each) {
    return same(each.grid, ran.grid) && same(each.block, ran.block);
  });
  if (known->places.size() == kPlaces) known->places.erase(known->places.begin());
  known->places.push_back(std::move(ran));
}

void Engines::ran_at(const backend::GemmProblem& problem, const scheduler::Decision& decision) {
  if (prefetcher() == nullptr) return;
  constexpr size_t kPlaces = 32;
  ProductPlace ran{HomeProduct::shape_of(problem), place_of(decision)};
  std::unique_lock lock(kernels_mutex_);
  std::erase_if(product_places_,
                [&](const ProductPlace& each) { return each.shape.same_shape(ran.shape); });
  if (product_places_.size() == kPlaces) product_places_.erase(product_places_.begin());
  product_places_.push_back(std::move(ran));
}

void Engines::want(const Place& place, const Operands& operands,
                   const std::function<scheduler::ChunkMemory(scheduler::Chunk)>& memory_of,
                   Upcoming& upcoming) const {
  for (const Place::Part& part : place.parts) {
    std::vector<Range> ranges = place.whole ? operands.all : memory_of(part.units).accessed;
    ranges = without_program(ranges, operands.host_visible);
    // What is there stays there, unless earlier work writes it: then it would not be brought either.
    std::erase_if(ranges, [&](const Range& range) {
      return pool_.missing_bytes(part.space, {&range, 1}) == 0;
    });
    if (!ranges.empty()) upcoming.wanted.push_back({part.space, std::move(ranges)});
  }
}

std::shared_ptr<const Upcoming> Engines::upcoming(Operation& operation) {
  auto upcoming = std::make_shared<Upcoming>();
  switch (operation.operation_kind()) {
    case OperationKind::nothing: return upcoming;
    case OperationKind::copy: {
      const auto& copy = static_cast<CopyOperation&>(operation);
      upcoming->writes.push_back(box(copy.to(), copy.shape()));
      return upcoming;
    }
    case OperationKind::fill: {
      const auto& fill = static_cast<FillOperation&>(operation);
      upcoming->writes.push_back(box(fill.to(), fill.shape()));
      return upcoming;
    }
    case OperationKind::kernel: {
      auto& launch = static_cast<KernelOperation&>(operation);
      const Operands operands = operands_of(launch);
      upcoming->writes = operands.writes;
      upcoming->anything = !operands.known || launch.may_wait();
      if (upcoming->anything || operands.textures || operands.outside) return upcoming;
      const LaunchConfiguration& configuration = launch.configuration();
      Place place;
      {
        std::unique_lock lock(kernels_mutex_);
        auto* known = static_cast<KernelOnEngines*>(launch.kernel().engine_data().get());
        if (known == nullptr) return upcoming;
        for (const LaunchPlace& each : known->places) {
          if (same(each.grid, configuration.grid) && same(each.block, configuration.block))
            place = each.place;
        }
      }
      if (!place.whole && (operands.access == nullptr || !operands.access->splittable()))
        place = {};
      want(place, operands, memory_of_chunks(launch, operands), *upcoming);
      return upcoming;
    }
    case OperationKind::gemm: {
      const backend::GemmProblem& problem = *operation.gemm();
      const scheduler::DivisibleGemm product(problem, backend::cpu_gemm);
      const Operands operands = operands_of(product.memory({0, product.units()}));
      upcoming->writes = operands.writes;
      const HomeProduct shape = HomeProduct::shape_of(problem);
      Place place;
      {
        std::unique_lock lock(kernels_mutex_);
        for (const ProductPlace& each : product_places_) {
          if (each.shape.same_shape(shape)) place = each.place;
        }
      }
      want(
          place, operands, [&](scheduler::Chunk chunk) { return product.memory(chunk); },
          *upcoming);
      return upcoming;
    }
    case OperationKind::program:
    case OperationKind::host_memory: break;
  }
  upcoming->anything = true;
  return upcoming;
}

}  // namespace guda::runtime
