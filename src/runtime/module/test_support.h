// What the tests of this folder share: heap storage for variables, byte-made fatbins, sample PTX.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/module/fatbin.h"
#include "runtime/module/module.h"

namespace guda::runtime::testing {

/// Counts what is out, so that tests can see leaks.
class HeapStorage : public ModuleHost {
 public:
  Result<void*> allocate(size_t bytes, size_t alignment, VariableSpace) override {
    const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
    void* memory = std::aligned_alloc(alignment, rounded);
    if (memory == nullptr) return Status{StatusCode::out_of_memory, "heap"};
    std::memset(memory, 0, rounded);
    ++live;
    return memory;
  }
  void release(void* address, size_t, VariableSpace) noexcept override {
    std::free(address);
    --live;
  }
  int live = 0;
};

struct EntrySpec {
  uint16_t kind = 1;
  uint32_t architecture = 80;
  uint64_t flags = 0x11;
  std::string payload;
  uint64_t uncompressed_size = 0;
  std::string options;
};

template <typename T>
void put(std::string& out, size_t offset, T value) {
  std::memcpy(out.data() + offset, &value, sizeof value);
}

inline std::string make_entry(const EntrySpec& spec) {
  std::string header(64, '\0');
  if (!spec.options.empty()) {
    put<uint32_t>(header, 20, 64);
    header += spec.options;
    header.resize((header.size() + 8) / 8 * 8, '\0');
  }
  std::string payload = spec.payload;
  payload.resize((payload.size() + 7) / 8 * 8, '\0');
  put<uint16_t>(header, 0, spec.kind);
  put<uint16_t>(header, 2, 0x101);
  put<uint32_t>(header, 4, static_cast<uint32_t>(header.size()));
  put<uint64_t>(header, 8, payload.size());
  if (spec.uncompressed_size != 0) {
    put<uint32_t>(header, 16, static_cast<uint32_t>(spec.payload.size()));
  }
  put<uint32_t>(header, 24, 9u << 16);
  put<uint32_t>(header, 28, spec.architecture);
  put<uint64_t>(header, 40, spec.flags);
  put<uint64_t>(header, 56, spec.uncompressed_size);
  return header + payload;
}

inline std::string make_container(const std::vector<EntrySpec>& entries) {
  std::string body;
  for (const EntrySpec& spec : entries) body += make_entry(spec);
  std::string header(16, '\0');
  put<uint32_t>(header, 0, kFatbinMagic);
  put<uint16_t>(header, 4, 1);
  put<uint16_t>(header, 6, 16);
  put<uint64_t>(header, 8, body.size());
  return header + body;
}

/// A wrapper as nvcc's host code holds it.
struct WrapperSpec {
  uint32_t magic = kFatbinWrapperMagic;
  uint32_t version = 1;
  const void* data = nullptr;
  const void* const* prelinked = nullptr;
};

inline std::span<const std::byte> as_bytes(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

inline constexpr std::string_view kVectorAdd = R"(
.version 9.0
.target sm_75
.address_size 64
.visible .global .align 4 .u32 counter = 3;
.visible .const .align 4 .b8 table[16] = {0, 0, 128, 63, 0, 0, 0, 64, 0, 0, 64, 64, 0, 0, 128, 64};
.visible .global .align 8 .u64 pc = generic(counter)+4;
.visible .global .attribute(.managed) .align 4 .u32 man = 7;
.global .align 4 .f32 scale[3] = {0f3F800000, 2.5};
.global .align 8 .u64 functions[2] = {helper, _Z9vectorAddPKfS0_Pfi};
.global .align 1 .b8 bytes_of_pc[2] = {0xFF(pc), 0xFF00(pc)};
.extern .global .align 4 .u32 elsewhere;
.shared .align 16 .b8 tile[256];
.func helper() { .shared .align 4 .b8 more[12]; ret; }
.visible .entry _Z9vectorAddPKfS0_Pfi(
	.param .u64 p0,
	.param .u8 p1,
	.param .align 16 .b8 p2[24],
	.param .u32 p3
)
.maxntid 128, 2, 1
.minnctapersm 3
{
	.local .align 8 .b8 depot[40];
	.reg .b32 %r<3>;
	mov.u32 %r1, tile;
	call.uni helper, ();
	ret;
}
.visible .entry second() { ret; }
)";

}  // namespace guda::runtime::testing
