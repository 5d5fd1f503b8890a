// The device code that an executable or library carries: the fatbins in its sections.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "runtime/module/fatbin.h"
#include "support/status.h"
#include "tools/guda/elf_image.h"

namespace guda::cli {

struct DeviceCodeContainer {
  std::span<const std::byte> bytes;
  std::vector<runtime::FatbinEntry> entries;
  bool relocatable = false;  // one translation unit of nvcc -rdc=true, to be linked with the others
  bool link_product = false;  // nvlink's: machine code of the units, whose own containers have the
  // PTX; every program has one, mostly without kernels

  bool has_ptx() const;
  /// GUDA can run it, or need not.
  bool is_usable() const { return has_ptx() || link_product; }
};

/// Containers of .nv_fatbin and __nv_relfatbin, in file order. None: no device code. Errors:
/// invalid_image when a section is damaged.
Result<std::vector<DeviceCodeContainer>> read_device_code(const ElfImage& image);

/// Names of the kernels in a container, from the PTX that GUDA would take, else from the machine code.
std::vector<std::string> kernel_names(const DeviceCodeContainer& container);

/// "PTX for sm_75 (zstd), machine code for sm_90"
std::string describe(const runtime::FatbinEntry& entry);

}  // namespace guda::cli
