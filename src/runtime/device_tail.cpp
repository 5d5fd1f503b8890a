#include "runtime/device_tail.h"

#include <algorithm>

namespace guda::runtime {
namespace {

/// Of so many other tails we know how far we have waited for them.
constexpr size_t kFollowed = 16;

}  // namespace

DeviceTail::Turn DeviceTail::announce(uint64_t ticket) {
  Turn turn(*this, ticket);
  last_ = ticket;
  if (first_open() == 0) first_open_.store(ticket, std::memory_order_release);
  return turn;
}

void DeviceTail::follow_own(uint64_t ticket) {
  std::unique_lock lock(mutex_);
  if (first_open() != 0) last_ = std::max(last_, ticket);
}

std::vector<DeviceTail::Sample> DeviceTail::finish(uint64_t ticket) {
  while (!marks_.empty() && marks_.front().ticket <= ticket) marks_.pop_front();
  if (!finished(ticket))
    first_open_.store(last_ <= ticket ? 0 : ticket + 1, std::memory_order_release);
  auto open = std::stable_partition(samples_.begin(), samples_.end(),
                                    [&](const Sample& sample) { return sample.ticket > ticket; });
  std::vector<Sample> complete(std::make_move_iterator(open),
                               std::make_move_iterator(samples_.end()));
  samples_.erase(open, samples_.end());
  return complete;
}

void DeviceTail::report(const std::vector<Sample>& samples) {
  for (const Sample& sample : samples) {
    if (auto nanoseconds = sample.ended->since(*sample.began)) sample.report(*nanoseconds);
  }
}

Result<DeviceTail::Marked> DeviceTail::mark_end(bool timed) {
  auto made = timed ? queue_->mark() : queue_->mark_order();
  if (!made) return made.status();
  Marked marked{last_, std::move(*made)};
  if (!finished(last_)) marks_.push_back(marked);
  return marked;
}

Result<DeviceTail::Marked> DeviceTail::cover(uint64_t ticket) {
  for (const Marked& marked : marks_) {
    if (marked.ticket >= ticket) return marked;
  }
  return mark_end(false);
}

Result<std::shared_ptr<backend::Mark>> DeviceTail::mark(uint64_t ticket, bool timed) {
  std::vector<Sample> complete;
  std::unique_lock lock(mutex_);
  last_ = ticket;
  if (first_open() == 0) first_open_.store(ticket, std::memory_order_release);
  auto marked = mark_end(timed);
  if (marks_.size() > many_) {
    // One question for half of them: asking for each would cost more than making it.
    const Marked& middle = marks_[marks_.size() / 2];
    if (middle.mark->reached()) {
      if (Status status = middle.mark->wait(); !status) failure_ = status;
      complete = finish(middle.ticket);
    }
    many_ = std::max(kManyMarks, 2 * marks_.size());
  }
  lock.unlock();
  report(complete);
  if (!marked) return marked.status();
  return std::move(marked->mark);
}

Status DeviceTail::follow(DeviceTail& other, uint64_t ticket, uint64_t own) {
  if (&other == this || other.finished(ticket)) return Status::ok();
  std::unique_lock lock(mutex_);
  auto known = std::find_if(followed_.begin(), followed_.end(),
                            [&](auto& entry) { return entry.first == other.id_; });
  if (known != followed_.end() && known->second >= ticket) return Status::ok();
  lock.unlock();  // never both locks at once

  std::unique_lock other_lock(other.mutex_);
  auto marked = other.cover(ticket);
  other_lock.unlock();
  if (!marked) return marked.status();

  lock.lock();
  if (Status status = queue_->wait_for(*marked->mark); !status) return status;
  known = std::find_if(followed_.begin(), followed_.end(),
                       [&](auto& entry) { return entry.first == other.id_; });
  if (known == followed_.end()) {
    if (followed_.size() == kFollowed) followed_.pop_front();
    followed_.emplace_back(other.id_, marked->ticket);
  } else {
    known->second = marked->ticket;
  }
  last_ = std::max(last_, own);
  if (first_open() == 0) first_open_.store(own, std::memory_order_release);
  return Status::ok();
}

Status DeviceTail::wait(uint64_t ticket) {
  std::unique_lock lock(mutex_);
  if (finished(ticket)) return std::exchange(failure_, Status::ok());
  std::shared_ptr<backend::Mark> mark;
  uint64_t until = last_;
  for (const Marked& marked : marks_) {
    if (marked.ticket < ticket) continue;
    mark = marked.mark;
    until = marked.ticket;
    break;
  }
  lock.unlock();
  Status status = mark ? mark->wait() : queue_->synchronize();
  lock.lock();
  auto complete = finish(until);
  if (status) status = std::exchange(failure_, Status::ok());
  lock.unlock();
  report(complete);
  return status;
}

std::optional<Status> DeviceTail::poll(uint64_t ticket) {
  std::unique_lock lock(mutex_);
  if (!finished(ticket)) {
    // A device that cannot be asked has failed; waiting tells how.
    auto marked = cover(std::min(ticket, last_));
    if (marked && !marked->mark->reached()) return std::nullopt;
  }
  lock.unlock();
  return wait(ticket);
}

}  // namespace guda::runtime
