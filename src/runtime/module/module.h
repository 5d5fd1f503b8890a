// A CUDA module: the device code of one fatbin (or one group of relocatable fatbins, or a PTX text)
// with the storage of its variables and the kernels in it.
//
// Nothing is read at registration; the first use of anything loads the module: picks and decompresses
// the PTX, links translation units, parses declarations (bodies stay text) and allocates variables.
//
// Thread safety: registration (register_*) happens before the first use, from one thread at a time;
// everything else may be called from any thread. Destroying a Module closes its kernel objects and
// releases its variables: the caller first waits for launches in flight.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backends/machine_code.h"
#include "compiler/ptx/ast.h"
#include "runtime/module/cache.h"
#include "runtime/module/call_graph.h"
#include "runtime/module/kernel.h"
#include "support/status.h"

namespace guda::runtime {

enum class VariableSpace : uint8_t { global, constant, managed };

/// What modules need of the runtime: memory for variables, and a device for what the CPU cannot run.
class ModuleHost {
 public:
  virtual ~ModuleHost() = default;
  /// Zero-filled memory that kernels see at the address returned and that the host may write there.
  /// Called once per space that a module uses, not once per variable.
  virtual Result<void*> allocate(size_t bytes, size_t alignment, VariableSpace space) = 0;
  /// The host has written there (initial values).
  virtual void written(void* address, size_t bytes) { (void)address, (void)bytes; }
  virtual void release(void* address, size_t bytes, VariableSpace space) noexcept = 0;

  /// Loads machine code (a cubin, or a fatbin that holds one) on the device that data lives on. `image` is not needed
  /// after the call. Errors: no_binary_for_gpu where there is none for such a device, with the reason; the driver's.
  virtual Result<std::shared_ptr<backend::MachineCode>> load_machine_code(const void* image,
                                                                          const std::string& name) {
    (void)image, (void)name;
    return Status(StatusCode::no_binary_for_gpu, "there is no device for machine code");
  }
  /// The program may name this variable of machine code from now on. Errors: invalid_value.
  virtual Status adopt(const backend::MachineVariable& variable) {
    (void)variable;
    return {StatusCode::not_supported, "there is no device for machine code"};
  }
  /// The variable goes with its module.
  virtual void disown(const backend::MachineVariable& variable) noexcept { (void)variable; }

  /// Success: the device that data lives on runs the kernel, for which there is no code of the CPU's. Errors: those of
  /// loading it there; not_supported: there is no such device.
  virtual Status runs_on_device(Kernel& kernel, const BlockDim& block) {
    (void)kernel, (void)block;
    return {StatusCode::not_supported, "there is no device"};
  }
};

/// A module-scope .global or .const variable with its storage.
struct DeviceVariable {
  std::string_view name;
  void* address = nullptr;
  size_t size = 0;
  VariableSpace space = VariableSpace::global;
};

/// __cudaRegisterTexture / __cudaRegisterSurface, recorded as they came.
struct TextureReference {
  const void* host = nullptr;
  std::string_view name;
  int dimensions = 0;
  bool normalized = false;
  bool surface = false;
};

class Module {
 public:
  /// From __cudaRegisterFatBinary: records `wrapper` (versions 1 and 2) and reads nothing.
  static std::unique_ptr<Module> from_wrapper(const void* wrapper, ModuleHost& host);

  /// From cuModuleLoadData and its relatives: `image` is PTX text, a fatbin, a fatbin wrapper or an ELF
  /// cubin; it is loaded now, and not needed after the call. `size` 0: unknown (text ends at its null
  /// character, a fatbin where its header says). Errors: invalid_image, invalid_ptx, no_binary_for_gpu.
  static Result<std::unique_ptr<Module>> from_image(const void* image, size_t size,
                                                    std::string name, ModuleHost& host);

  /// An image (PTX with a null character at its end, too) for the driver of the device that data lives on, loaded now: a
  /// module of machine code. `why` it has to be that, when there is no such device. Errors: as from_image.
  static Result<std::unique_ptr<Module>> from_machine_code(const void* image, const Status& why,
                                                           std::string name, ModuleHost& host);

  /// The PTX in such an image when it is text; else empty.
  static std::string_view text_in(const void* image, size_t size);

  /// A module whose load() fails with `why`.
  static std::unique_ptr<Module> failed(Status why, std::string name, ModuleHost& host);

  /// PTX text, loaded now. Errors: invalid_ptx, out_of_memory.
  static Result<std::unique_ptr<Module>> from_ptx(std::string text, std::string name,
                                                  ModuleHost& host);

  /// PTX of several translation units, linked and loaded now (cuLink*). Errors: as from_image.
  static Result<std::unique_ptr<Module>> from_ptx_units(std::vector<std::string> texts,
                                                        std::string name, ModuleHost& host);

  ~Module();
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  // Registration. Names must outlive the module (they are literals of the program).

  /// The kernel behind a host stub. One Kernel per name: a second host stub of the same name (templates
  /// in several translation units) gets the same one.
  Kernel* register_kernel(const void* host_function, std::string_view device_name);
  void register_variable(const void* host_variable, std::string_view device_name, size_t size,
                         bool constant);
  /// `*host_pointer` receives the variable's address when the module is loaded.
  void register_managed_variable(void** host_pointer, std::string_view device_name, size_t size);
  void register_texture(const TextureReference& reference);

  /// Loads the module; later calls return the first call's result. Errors: invalid_image,
  /// no_binary_for_gpu (only machine code of a vendor's GPU inside), invalid_ptx, out_of_memory.
  Status load();
  bool is_loaded() const { return state_.load(std::memory_order_acquire) == State::loaded; }

  /// Kernel by its (mangled) name. Errors: those of load(), not_found.
  Result<Kernel*> find_kernel(std::string_view name);
  /// All kernels that the module defines. Errors: those of load().
  Result<std::vector<Kernel*>> kernels();

  /// Variable by name. Errors: those of load(), not_found.
  Result<DeviceVariable> find_variable(std::string_view name);
  /// Variable by the address of its host shadow, as given to register_variable (for a managed variable:
  /// the pointer's address or its value). Errors: those of load(), not_found.
  Result<DeviceVariable> find_host_variable(const void* host);
  /// All variables; empty before load().
  const std::vector<DeviceVariable>& variables() const { return variables_; }
  /// Null unless the module is machine code of a device's, which it becomes when there is no PTX. After load().
  backend::MachineCode* machine_code() const { return machine_.get(); }
  /// True when a host shadow was registered here. Does not load.
  bool has_host_variable(const void* host) const;
  /// True when a managed variable was registered: __cudaInitModule then has to load the module.
  bool has_managed_variables() const { return !managed_.empty(); }
  const std::vector<TextureReference>& textures() const { return textures_; }

  /// For messages: the file that holds the image, or the name given.
  const std::string& name() const;
  /// The (linked) PTX text; null before load().
  std::shared_ptr<const std::string> ptx_text() const;
  /// Hash of ptx_text(), or of the name and kernels of machine code; zero before load().
  const Hash128& ptx_hash() const { return ptx_hash_; }
  /// The syntax tree; null before load(). Bodies are parsed under body_mutex() only.
  const ptx::Module* syntax() const { return syntax_.get(); }

 private:
  friend class Kernel;
  enum class State : uint8_t { fresh, loaded, failed };
  struct Storage {
    void* address = nullptr;
    size_t bytes = 0;
  };
  struct Managed {
    void** host_pointer;
    std::string_view name;
    size_t size;
  };

  explicit Module(ModuleHost& host) : host_(host) {}
  Status load_once();
  Status load_machine_code(const void* image, const Status& without_ptx);
  Result<DeviceVariable> machine_variable(std::string_view name);
  Result<DeviceVariable> variable_named(std::string_view name);
  void point_managed();
  Result<std::string> read_image() const;
  Status place_variables();
  Status initialise_variables();
  Result<uint64_t> address_of(const ptx::InitialValue& value) const;
  Kernel* kernel_named(std::string_view name, const void* host_function);
  ptx::Function* function_named(std::string_view name) const;
  Result<KernelReach> reach_of(std::string_view kernel);

  ModuleHost& host_;
  const void* wrapper_ = nullptr;  // fatbin wrapper of a registered module
  std::vector<std::string> texts_;  // PTX given by value; consumed by load()
  mutable std::string name_;
  mutable std::once_flag name_once_;

  std::atomic<State> state_{State::fresh};
  std::mutex load_mutex_;
  Status load_error_;

  std::mutex body_mutex_;  // guards lazy parsing of bodies in syntax_
  std::unique_ptr<ptx::Module> syntax_;
  FunctionIndex functions_;
  Hash128 ptx_hash_;

  std::shared_ptr<backend::MachineCode> machine_;
  std::set<std::string, std::less<>> machine_kernels_;
  std::mutex machine_mutex_;  // guards machine_variables_
  std::map<std::string, backend::MachineVariable, std::less<>> machine_variables_;

  mutable std::mutex kernels_mutex_;  // guards kernels_ and kernel_by_name_
  std::deque<std::unique_ptr<Kernel>> kernels_;
  std::unordered_map<std::string_view, Kernel*> kernel_by_name_;

  std::vector<DeviceVariable> variables_;
  std::unordered_map<std::string_view, size_t> variable_by_name_;
  Storage blocks_[3];  // by VariableSpace
  std::unordered_map<const void*, std::string_view> host_variables_;
  std::vector<Managed> managed_;
  std::vector<TextureReference> textures_;
};

}  // namespace guda::runtime
