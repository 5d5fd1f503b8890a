// The way of a device image from its bytes to module text: containers, entries, decompression, and the
// linker's splitting of what comes out.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/module/fatbin.h"
#include "runtime/module/link.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace guda::runtime;
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto entries = read_fatbin(bytes);
  if (!entries) {
    // Not a container: text for the linker instead, cut in two units at a null character.
    const std::string text(reinterpret_cast<const char*>(data), size);
    const size_t cut = text.find('\0');
    if (cut != std::string::npos) {
      const std::vector<std::string> units = {text.substr(0, cut), text.substr(cut + 1)};
      (void)link_ptx(units, "input").is_ok();
    }
    return 0;
  }
  (void)read_ptx(*entries, 89, "input").is_ok();
  std::vector<std::string> texts;
  for (const FatbinEntry& entry : *entries) {
    if (auto text = read_payload(entry); text && texts.size() < 4)
      texts.push_back(std::move(*text));
  }
  if (!texts.empty()) (void)link_ptx(texts, "input").is_ok();
  return 0;
}
