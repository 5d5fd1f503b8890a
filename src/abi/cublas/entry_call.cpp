#include "abi/cublas/entry_call.h"

#include "abi/cublas/memory_use.h"

#include <algorithm>

namespace guda::cublas {

constinit thread_local const CallArguments* current_call = nullptr;

static_assert(__STDCPP_DEFAULT_NEW_ALIGNMENT__ >= 16);

void CallScope::enter(const char* name, CallArguments::Invoke invoke) {
  arguments_.name = name;
  arguments_.invoke = invoke;
  before_ = std::exchange(current_call, &arguments_);
}
void CallScope::leave() { current_call = before_; }

void EntryCall::keep(const void* start, size_t bytes) {
  if (start == nullptr || bytes == 0) return;
  for (uint32_t word = 0; word < arguments_.count; ++word) {
    const bool kept = std::any_of(copies_.begin(), copies_.end(),
                                  [&](const Copy& copy) { return copy.word == word; });
    if (kept || arguments_.words[word] != reinterpret_cast<uintptr_t>(start)) continue;
    const size_t offset = (contents_.size() + 15) / 16 * 16;
    copies_.push_back({word, offset});
    contents_.resize(offset);
    auto* from = static_cast<const std::byte*>(start);
    contents_.insert(contents_.end(), from, from + bytes);
    return;
  }
}

int EntryCall::call(backend::VendorLibrary& library) const {
  void* function = library.find(arguments_.name);
  if (function == nullptr) return kNotSupported;
  if (copies_.empty()) return arguments_.invoke(function, library.handle, arguments_.words);
  uint64_t words[CallArguments::kMost];
  std::copy_n(arguments_.words, arguments_.count, words);
  // Host arguments may be written (a status that is set at once), each time the call is made.
  std::vector<std::byte> contents = contents_;
  for (const Copy& copy : copies_)
    words[copy.word] = reinterpret_cast<uintptr_t>(contents.data() + copy.offset);
  return arguments_.invoke(function, library.handle, words);
}

Uses& Uses::host_argument(const void* start, size_t bytes) {
  if (call_ != nullptr) call_->keep(start, bytes);
  return *this;
}

}  // namespace guda::cublas
