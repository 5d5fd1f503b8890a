// Where this installation's files are, found from the program's own place so that it may be moved.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace guda::cli {

/// Directory of libguda.so and the CUDA libraries: ../lib beside the program's directory.
std::string library_directory();

/// The CUDA libraries that are part of GUDA and present in library_directory(), such as libcudart.so.13.
bool provides(std::string_view soname);

/// True for names of the CUDA libraries that GUDA stands in for, in any version.
bool is_guda_library(std::string_view soname);

/// True for names of libraries that belong to CUDA, whether GUDA has them or not.
bool is_cuda_library(std::string_view soname);

/// A program's path as the shell would find it (PATH); empty when there is none.
std::string find_program(const std::string& name);

}  // namespace guda::cli
