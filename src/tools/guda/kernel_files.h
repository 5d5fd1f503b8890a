// The kernels in files as users have them: programs, libraries, PTX, fatbins.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/module/module.h"
#include "support/status.h"
#include "tools/guda/elf_image.h"

namespace guda::cli {

class KernelFiles {
 public:
  KernelFiles();
  ~KernelFiles();
  KernelFiles(const KernelFiles&) = delete;
  KernelFiles& operator=(const KernelFiles&) = delete;

  /// Adds the kernels of a file; a bare name is looked for in PATH, too. Errors: file_not_found, invalid_image,
  /// those of loading a module; what could be read before one is there all the same.
  Status read(const std::string& file);
  std::vector<runtime::Kernel*> kernels() const;

 private:
  Status read_program(const ElfImage& image, const std::string& path);
  Status add(Result<std::unique_ptr<runtime::Module>> module);

  std::unique_ptr<runtime::ModuleHost> storage_;
  std::vector<std::unique_ptr<runtime::Module>> modules_;
  std::vector<runtime::Kernel*> kernels_;
};

}  // namespace guda::cli
