// Finds NVIDIA's libraries and opens them where they cannot meet ours.
//
// GUDA's own libcuda.so.1 and libcublas.so.13 have the vendor's names and may be in the process, or first in the
// library path. The vendor's libraries look each other up by these names, so they live in a link namespace of their own
// (dlmopen): what is opened there by file name is what the others there find. Without this cuBLAS would bind to our
// driver (tried on an H200).
#pragma once

#include "support/status.h"

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace guda::backend::cuda {

/// Existing files called one of `names`, most wanted first and each once (by inode): in the folders of
/// LD_LIBRARY_PATH, in those that the loader's cache names (/etc/ld.so.cache), in `folders`, which say where a
/// vendor's packages put it.
std::vector<std::string> find_library(std::initializer_list<std::string_view> names,
                                      std::initializer_list<std::string_view> folders);

/// A link namespace. Its libraries stay loaded until the process ends: vendors' libraries do not survive dlclose.
///
/// The namespace has a C library of its own, to which three things have to be told:
///   - the environment as it is now;
///   - which thread-specific keys are its. The values of keys (pthread_setspecific) stand in the thread's descriptor,
///     which both C libraries share, while each numbers its keys on its own; without care the program's destructors
///     would be called with the driver's data when a thread ends (seen on an H200);
///   - threads: those that it did not create lack its tables for isspace() and the like, and the driver's compiler
///     would crash there (seen on an H200).
class LinkNamespace {
 public:
  LinkNamespace() = default;
  LinkNamespace(const LinkNamespace&) = delete;
  LinkNamespace& operator=(const LinkNamespace&) = delete;

  /// Opens a file in the namespace; the first one creates it.
  /// Errors: file_not_found with the loader's message; stub_library when the file is one of GUDA's own, which is not
  /// kept; not_supported when no namespace can be made.
  Result<void*> open(const std::string& file);

  /// Every thread calls it before it calls into the namespace. One comparison but for the first time.
  void enter_thread() const {
    if (entered_ == this) return;
    entered_ = this;
    if (initialise_thread_ != nullptr) initialise_thread_();
  }

 private:
  Status create();

  static inline thread_local const LinkNamespace* entered_ = nullptr;
  void (*initialise_thread_)() = nullptr;

  bool created_ = false;
  long id_ = 0;  // Lmid_t
};

}  // namespace guda::backend::cuda
