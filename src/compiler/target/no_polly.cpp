// LLVM built with Polly refers to this entry of its extension list even when Polly's archive is not
// installed. GUDA_STATIC_LLVM only.
#include <llvm/Plugins/PassPlugin.h>

llvm::PassPluginLibraryInfo getPollyPluginInfo();

llvm::PassPluginLibraryInfo getPollyPluginInfo() {
  return {LLVM_PLUGIN_API_VERSION, "none", "", [](llvm::PassBuilder&) {}, nullptr};
}
