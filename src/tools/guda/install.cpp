#include "tools/guda/install.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>

namespace guda::cli {
namespace {

constexpr std::array<std::string_view, 20> kCudaLibraries = {
    "libcudart.so", "libcuda.so",      "libcublas.so",     "libcublasLt.so", "libcufft.so",
    "libcufftw.so", "libcurand.so",    "libcusparse.so",   "libcusolver.so", "libcusolverMg.so",
    "libnvrtc.so",  "libnvJitLink.so", "libcudnn.so",      "libnccl.so",     "libnpp",
    "libnvjpeg.so", "libcupti.so",     "libnvToolsExt.so", "libcutensor.so", "libnvidia-ml.so"};

bool is_executable_file(const std::string& path) {
  struct stat info{};
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && access(path.c_str(), X_OK) == 0;
}

}  // namespace

std::string library_directory() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  return (program.parent_path().parent_path() / "lib").string();
}

bool provides(std::string_view soname) {
  return is_cuda_library(soname) &&
         access(fmt::format("{}/{}", library_directory(), soname).c_str(), R_OK) == 0;
}

bool is_guda_library(std::string_view soname) {
  for (const char* known : {"libcudart.so", "libcuda.so", "libcublas.so", "libcublasLt.so"}) {
    if (soname.starts_with(known)) return true;
  }
  return false;
}

bool is_cuda_library(std::string_view soname) {
  for (const std::string_view known : kCudaLibraries) {
    if (soname.starts_with(known)) return true;
  }
  return false;
}

std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return access(name.c_str(), F_OK) == 0 ? name : "";
  const char* path = std::getenv("PATH");
  std::string_view rest = path != nullptr ? path : "/usr/bin:/bin";
  while (true) {
    const size_t colon = rest.find(':');
    const std::string_view directory = rest.substr(0, colon);
    std::string candidate = fmt::format("{}/{}", directory.empty() ? "." : directory, name);
    if (is_executable_file(candidate)) return candidate;
    if (colon == std::string_view::npos) return "";
    rest = rest.substr(colon + 1);
  }
}

}  // namespace guda::cli
