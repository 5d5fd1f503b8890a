#include "scheduler/reduction_copy.h"

namespace guda::scheduler {

using access::Reduction;
using memory::Range;

namespace {

void* start_of(const Reduction& reduction) {
  return reinterpret_cast<void*>(reduction.range.begin);
}

size_t bytes_of(const Reduction& reduction) { return reduction.range.end - reduction.range.begin; }

}  // namespace

std::vector<Range> ranges_of(std::span<const Reduction> reductions) {
  std::vector<Range> ranges;
  for (const Reduction& reduction : reductions) {
    ranges.push_back(Range{reduction.range.begin, reduction.range.end});
  }
  return ranges;
}

Status ReductionCopy::create(memory::CoherentPool& pool, memory::Space space, backend::Queue& queue,
                             std::span<const Reduction> reductions) {
  auto lease = pool.acquire_scratch(space, ranges_of(reductions));
  if (!lease) return lease.status();
  lease_ = std::move(*lease);
  reductions_ = reductions;
  for (const Reduction& reduction : reductions) {
    Status status;
    if (const auto word = access::identity_word(reduction)) {
      status = queue.fill(start_of(reduction), *word, sizeof *word, bytes_of(reduction));
    } else {
      std::vector<std::byte> identities(bytes_of(reduction));
      access::fill_identity(reduction, identities);
      status = queue.upload(start_of(reduction), identities.data(), identities.size());
      Status finished = queue.synchronize();
      if (status) status = std::move(finished);
    }
    if (!status) return status;
  }
  return Status::ok();
}

Result<std::vector<std::byte>> ReductionCopy::contributions(backend::Queue& queue) const {
  size_t bytes = 0;
  for (const Reduction& reduction : reductions_) bytes += bytes_of(reduction);
  std::vector<std::byte> gathered(bytes);
  size_t at = 0;
  Status status;
  for (const Reduction& reduction : reductions_) {
    status = queue.download(gathered.data() + at, start_of(reduction), bytes_of(reduction));
    if (!status) break;
    at += bytes_of(reduction);
  }
  // Also after a failure: transfers under way write into what ends here.
  Status finished = queue.synchronize();
  if (!status) return status;
  if (!finished) return finished;
  return gathered;
}

void combine_on_host(std::span<const Reduction> reductions,
                     std::span<const std::byte> contributions) {
  size_t at = 0;
  for (const Reduction& reduction : reductions) {
    access::combine(reduction, {static_cast<std::byte*>(start_of(reduction)), bytes_of(reduction)},
                    contributions.data() + at);
    at += bytes_of(reduction);
  }
}

}  // namespace guda::scheduler
