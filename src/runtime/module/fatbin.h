// Reader of fatbins: the containers in which nvcc puts device code.
//
// Layout (docs/formats are not published; offsets read off nvcc's output): a wrapper in .nvFatBinSegment
// points to a container, a container is a header and entries, an entry is a header and a payload that may
// be compressed. Every read is checked against the bytes known to be there; damaged input is
// StatusCode::invalid_image.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "support/status.h"

namespace guda::runtime {

inline constexpr uint32_t kFatbinWrapperMagic = 0x466243B1;
inline constexpr uint32_t kFatbinMagic = 0xBA55ED50;

enum class FatbinKind : uint16_t { ptx = 1, elf = 2, lto_ir = 8 };

enum FatbinFlags : uint64_t {
  kFatbin64Bit = 0x1,
  kFatbinDebug = 0x2,
  kFatbinLinux = 0x10,
  kFatbinZlib = 0x1000,
  kFatbinLz4 = 0x2000,
  kFatbinZstd = 0x8000,
  kFatbinArchSpecific = 0x100000,  // sm_90a and the like
};

/// One entry; the views point into the image.
struct FatbinEntry {
  FatbinKind kind = FatbinKind::ptx;  // may be a value without a name
  uint32_t ptx_major = 0, ptx_minor = 0;
  uint32_t architecture = 0;  // 75, 90, 120
  uint64_t flags = 0;
  uint64_t uncompressed_size = 0;  // 0 when stored plainly
  std::span<const std::byte> payload;  // without padding
  std::string options;  // ptxas options kept with PTX, such as -maxrregcount; often empty

  bool is_compressed() const { return (flags & (kFatbinZlib | kFatbinLz4 | kFatbinZstd)) != 0; }
};

/// What __cudaRegisterFatBinary receives.
struct FatbinWrapper {
  uint32_t version = 0;  // 1, or 2 for relocatable device code
  const void* data = nullptr;  // container
  std::vector<const void*> prelinked;  // version 2: one container per translation unit
};

/// Reads a wrapper in this process's memory. Errors: invalid_image.
Result<FatbinWrapper> read_wrapper(const void* wrapper);

/// Bytes from `address` to the end of the loaded ELF segment that holds it; 0 when it is in none (heap).
size_t mapped_extent(const void* address);

/// The container at `data`: its bytes, by its own header, checked against mapped_extent() or against
/// `size` when that is not 0. Errors: invalid_image.
Result<std::span<const std::byte>> container_at(const void* data, size_t size = 0);

/// All entries of the containers that stand one after the other in `bytes` (zero padding between them is
/// skipped). Errors: invalid_image.
Result<std::vector<FatbinEntry>> read_fatbin(std::span<const std::byte> bytes);

/// Splits bytes that hold several containers (a whole .nv_fatbin section).
Result<std::vector<std::span<const std::byte>>> split_containers(std::span<const std::byte> bytes);

/// The entry's payload, decompressed (zstd, LZ4, plain). Errors: invalid_image; not_supported for zlib.
Result<std::string> read_payload(const FatbinEntry& entry);

/// The PTX entry for a device of this capability (89 for 8.9): the newest that is not newer than the
/// device, else the oldest of the newer ones (PTX for any architecture is accepted). Null when there is
/// none.
const FatbinEntry* select_ptx(std::span<const FatbinEntry> entries, uint32_t capability);

/// select_ptx + read_payload, without the trailing null characters. Errors: no_binary_for_gpu, whose
/// message names what is there instead; those of read_payload.
Result<std::string> read_ptx(std::span<const FatbinEntry> entries, uint32_t capability,
                             const std::string& module_name);

/// GUDA_COMPUTE_CAPABILITY as select_ptx wants it.
uint32_t device_capability();
/// From now on it is this one: a GPU is there.
void set_device_capability(uint32_t capability);

}  // namespace guda::runtime
