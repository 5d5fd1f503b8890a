#include "scheduler/chunk_handout.h"

#include <algorithm>

namespace guda::scheduler {
namespace {

/// Pieces are not made smaller than this part of the plan.
constexpr uint64_t kMostPieces = 24;
/// Nor so small that starting one takes more than this part of the time for its units, as long as there are a few.
constexpr double kStart = 0.5;
constexpr uint64_t kAFew = 4;
/// Finishing this much later than all together could is not late.
constexpr double kLate = 1.02;

}  // namespace

ChunkHandout::ChunkHandout(std::span<const PlannedPart> parts, uint64_t tile, const Cuts& cuts)
    : tile_(std::max<uint64_t>(tile, 1)), cuts_(cuts) {
  for (const PlannedPart& part : parts) {
    Slot slot;
    slot.left = part.part;
    slot.planned = part.part.units();
    slot.cost = part.cost;
    slots_.push_back(slot);
    units_ += slot.planned;
  }
}

double ChunkHandout::expected_ns(size_t engine, uint64_t units) const {
  return slots_[engine].cost.ns(static_cast<double>(units));
}

Chunk ChunkHandout::take_front(Chunk& from, uint64_t units) const {
  const Chunk chunk{from.begin, std::min(from.begin + round_up(units), from.end)};
  from.begin = chunk.end;
  return chunk;
}

std::optional<Chunk> ChunkHandout::next(size_t engine) {
  if (!slots_[engine].active) return std::nullopt;
  const auto chunk = choose(engine);
  if (chunk) slots_[engine].outstanding += chunk->units();
  return chunk;
}

/// Who has something to do already gets no more than it can do while the others finish what is left.
bool ChunkHandout::in_time(const Slot& slot, uint64_t units, double remaining_ns) {
  const double busy = slot.cost.ns_per_unit * static_cast<double>(slot.outstanding);
  return busy == 0 || busy + slot.cost.ns(static_cast<double>(units)) <= kLate * remaining_ns;
}

uint64_t ChunkHandout::least_piece(const Slot& slot) const {
  const double units = slot.cost.fixed_ns / (kStart * slot.cost.ns_per_unit);
  const auto worth_starting =
      static_cast<uint64_t>(std::min(units, static_cast<double>(slot.planned / kAFew)));
  return round_up(std::max({slot.planned / kMostPieces, worth_starting, uint64_t{1}}));
}

std::optional<Chunk> ChunkHandout::choose(size_t engine) {
  Slot& slot = slots_[engine];
  if (!returned_.empty()) {
    // What others failed at comes first, a tile or a piece at a time, so that all can help.
    Chunk& left = returned_.back();
    size_t helpers = 0;
    for (const Slot& other : slots_) helpers += other.active ? 1 : 0;
    const Chunk chunk = take_front(left, std::max<uint64_t>(left.units() / (2 * helpers), 1));
    if (left.units() == 0) returned_.pop_back();
    return chunk;
  }
  const double remaining = remaining_ns();
  if (!in_time(slot, tile_, remaining)) return std::nullopt;
  if (slot.left.units() == 0) return take_over(engine, remaining);
  const auto tail = static_cast<uint64_t>(cuts_.tail * static_cast<double>(slot.planned));
  const uint64_t left = slot.left.units();
  const uint64_t least = least_piece(slot);
  uint64_t piece =
      left >= tail + least ? std::min((slot.planned - tail) / cuts_.pieces, left - tail) : left / 2;
  // An engine that is slower than was thought must not be stuck in a piece when the others are done.
  const double share = cuts_.largest_share * remaining / slot.cost.ns_per_unit;
  piece = std::min(piece, static_cast<uint64_t>(share));
  piece = std::max(piece, least);
  if (left < piece + least) piece = left;  // no crumbs
  if (!in_time(slot, piece, remaining)) return std::nullopt;
  return take_front(slot.left, piece);
}

/// Until all that is not completed would be finished, at the speeds known now.
double ChunkHandout::remaining_ns() const {
  double units = 0;
  double rate = 0;
  for (const Slot& slot : slots_) {
    units += static_cast<double>(slot.left.units() + slot.outstanding);
    if (slot.active) rate += 1 / slot.cost.ns_per_unit;
  }
  return rate > 0 ? units / rate : 0;
}

/// Of the engine that would work longest, so much that both finish together, then half of that.
std::optional<Chunk> ChunkHandout::take_over(size_t engine, double remaining) {
  Slot& slot = slots_[engine];
  Slot* victim = nullptr;
  double longest = 0;
  for (Slot& other : slots_) {
    if (other.left.units() == 0) continue;
    const double ns = other.active
                          ? other.cost.ns_per_unit * static_cast<double>(other.left.units())
                          : 1e300;  // nobody else will
    if (ns > longest) {
      longest = ns;
      victim = &other;
    }
  }
  if (victim == nullptr) return std::nullopt;
  const uint64_t left = victim->left.units();
  if (slot.cost.ns(static_cast<double>(std::min(tile_, left))) >= longest) return std::nullopt;
  uint64_t units = (left + 1) / 2;
  if (victim->active) {
    const double mine =
        victim->cost.ns_per_unit / (victim->cost.ns_per_unit + slot.cost.ns_per_unit);
    // Half of that, but no less than takes as long as the victim's smallest piece.
    const auto least = static_cast<double>(victim->planned / kMostPieces) *
                       victim->cost.ns_per_unit / slot.cost.ns_per_unit;
    units = static_cast<uint64_t>(std::max(0.5 * mine * static_cast<double>(left),
                                           std::min(mine * static_cast<double>(left), least)));
  }
  // From the end, where the victim comes last; cuts stay at multiples of the tile.
  units = std::max<uint64_t>(units, 1);
  uint64_t begin = victim->left.end > units ? victim->left.end - units : 0;
  begin = std::max(begin / tile_ * tile_, victim->left.begin);
  const Chunk chunk{begin, victim->left.end};
  // Not when the victim would be done with all that it has before.
  if (victim->active &&
      slot.cost.ns(static_cast<double>(chunk.units())) >=
          longest + victim->cost.ns_per_unit * static_cast<double>(victim->outstanding))
    return std::nullopt;
  if (!in_time(slot, chunk.units(), remaining)) return std::nullopt;
  victim->left.end = begin;
  return chunk;
}

void ChunkHandout::completed(size_t engine, Chunk chunk, double ns) {
  completed_units_ += chunk.units();
  Slot& slot = slots_[engine];
  slot.outstanding -= std::min(slot.outstanding, chunk.units());
  if (chunk.units() == 0 || !(ns > 0)) return;
  // Of a chunk that took less than starting one should, nobody knows how it came about.
  slot.cost.fixed_ns = std::min(slot.cost.fixed_ns, 0.5 * ns);
  const double per_unit = (ns - slot.cost.fixed_ns) / static_cast<double>(chunk.units());
  slot.cost.ns_per_unit = slot.measured ? 0.5 * (slot.cost.ns_per_unit + per_unit) : per_unit;
  slot.measured = true;
}

void ChunkHandout::give_back(Chunk chunk) {
  if (chunk.units() != 0) returned_.push_back(chunk);
}

void ChunkHandout::revoke(Chunk chunk) {
  completed_units_ -= chunk.units();
  give_back(chunk);
}

void ChunkHandout::retire(size_t engine) {
  slots_[engine].active = false;
  slots_[engine].outstanding = 0;  // what it has will be given back
}

bool ChunkHandout::deserted() const {
  return std::none_of(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.active; });
}

}  // namespace guda::scheduler
