#include "peers.h"

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <sstream>

namespace guda::bench {
namespace {

template <class F>
void find(void* library, const char* name, F*& function) {
  function = reinterpret_cast<F*>(dlsym(library, name));
}

}  // namespace

bool load_peer(const std::string& description, Peer& peer) {
  std::istringstream fields(description);
  std::string field;
  std::string path;
  while (std::getline(fields, field, ',')) {
    const size_t equals = field.find('=');
    if (equals == std::string::npos) continue;
    if (path.empty()) {
      peer.name = field.substr(0, equals);
      path = field.substr(equals + 1);
    } else {
      setenv(field.substr(0, equals).c_str(), field.substr(equals + 1).c_str(), 1);
    }
  }
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
  if (library == nullptr) {
    std::fprintf(stderr, "%s: %s\n", peer.name.c_str(), dlerror());
    return false;
  }
  // Some builds of OpenBLAS come with a prefix.
  const std::string prefix = dlsym(library, "scipy_cblas_sgemm") != nullptr ? "scipy_" : "";
  const auto find_prefixed = [&](const char* name, auto& function) {
    find(library, (prefix + name).c_str(), function);
  };
  find_prefixed("cblas_sgemm", peer.sgemm);
  find_prefixed("cblas_dgemm", peer.dgemm);
  find_prefixed("cblas_cgemm", peer.cgemm);
  find_prefixed("cblas_zgemm", peer.zgemm);
  find_prefixed("openblas_set_num_threads", peer.set_threads_int);
  if (peer.set_threads_int == nullptr) find(library, "MKL_Set_Num_Threads", peer.set_threads_int);
  if (peer.set_threads_int == nullptr) find(library, "omp_set_num_threads", peer.set_threads_int);
  find(library, "bli_thread_set_num_threads", peer.set_threads_long);
  find(library, "dnnl_sgemm", peer.dnnl_sgemm);
  find(library, "dnnl_gemm_s8s8s32", peer.dnnl_gemm_s8s8s32);
  find(library, "dnnl_gemm_u8s8s32", peer.dnnl_gemm_u8s8s32);
  return peer.sgemm != nullptr || peer.dnnl_sgemm != nullptr;
}

}  // namespace guda::bench
