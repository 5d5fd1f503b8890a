// Machine code for the fake driver: "\177ELF" and then lines as in PTX, of which entries with their parameters and
// variables (`.global .b8 name[bytes]`) count; also inside a fatbin. Variables are where only the device reaches them.
#include "backends/cuda/testing/fake_machine_code.h"

#include <sys/mman.h>

#include <cctype>
#include <cstdlib>
#include <cstring>
#include <tuple>

namespace guda::backend::cuda::testing {
namespace {

constexpr char kElf[] = "\177ELF";
constexpr size_t kPage = 4096;

bool is_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

/// Bytes of the type at the start of a declaration: ".u64 x".
size_t bytes_of_type(const std::string& text, size_t at) {
  while (at < text.size() && !std::isdigit(static_cast<unsigned char>(text[at]))) ++at;
  return static_cast<size_t>(std::atoi(text.c_str() + at)) / 8;
}

/// What stands between the brackets after the entry's name; false: there is no such entry.
bool parameters_of(const Function& function, std::string& list) {
  const std::string& text = function.module->ptx;
  const size_t start = text.find(".entry " + function.name + "(");
  if (start == std::string::npos) return false;
  const size_t open = text.find('(', start);
  list = text.substr(open + 1, text.find(')', open) - open - 1);
  return true;
}

}  // namespace

const char* listing_of(const void* image, size_t& length) {
  constexpr uint32_t kFatbin = 0xBA55ED50;
  uint32_t magic = 0;
  std::memcpy(&magic, image, sizeof magic);
  const auto* bytes = static_cast<const char*>(image);
  length = 0;
  if (std::memcmp(bytes, kElf, 4) == 0) {
    length = std::strlen(bytes + 4);
    return bytes + 4;
  }
  if (magic != kFatbin) return nullptr;
  uint64_t size = 0;
  std::memcpy(&size, bytes + 8, sizeof size);
  const void* found = memmem(bytes + 16, size, kElf, 4);
  if (found == nullptr) return nullptr;
  const char* text = static_cast<const char*>(found) + 4;
  length = strnlen(text, size - static_cast<size_t>(text - (bytes + 16)));
  return text;
}

DriverResult find_variable(Module& module, const std::string& name, uintptr_t& address,
                           size_t& bytes) {
  const std::string declaration = ".global .b8 " + name + "[";
  const size_t at = module.ptx.find(declaration);
  if (at == std::string::npos) return kNotFound;
  auto [known, fresh] = module.variables.try_emplace(name);
  if (fresh) {
    const auto size = static_cast<size_t>(std::atoi(module.ptx.c_str() + at + declaration.size()));
    void* place = mmap(nullptr, kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void* memory = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (place == MAP_FAILED || memory == MAP_FAILED || size > kPage) return kOutOfMemory;
    known->second = {reinterpret_cast<uintptr_t>(place), size};
    const MemoryHandle number = state().next_handle++;
    state().allocations[number] = {kPage, static_cast<std::byte*>(memory), current_device()};
    state().mappings[known->second.first] = {kPage, number, 1u << current_device()};
  }
  std::tie(address, bytes) = known->second;
  return 0;
}

void drop_variables(Module& module) {
  for (const auto& [name, place] : module.variables) {
    auto mapping = state().mappings.find(place.first);
    Allocation& memory = state().allocations.at(mapping->second.handle);
    munmap(memory.memory, memory.size);
    state().allocations.erase(mapping->second.handle);
    state().mappings.erase(mapping);
    munmap(reinterpret_cast<void*>(place.first), kPage);
  }
}

EXPORT DriverResult cuModuleGetGlobal_v2(DevicePointer* address, size_t* bytes, ModuleHandle handle,
                                         const char* name) {
  CALL("cuModuleGetGlobal_v2");
  return find_variable(*reinterpret_cast<Module*>(handle), name, *address, *bytes);
}

EXPORT DriverResult cuModuleGetFunctionCount(unsigned* count, ModuleHandle handle) {
  CALL("cuModuleGetFunctionCount");
  const std::string& text = reinterpret_cast<Module*>(handle)->ptx;
  *count = 0;
  for (size_t at = text.find(".entry "); at != std::string::npos; at = text.find(".entry ", at + 1))
    ++*count;
  return 0;
}

EXPORT DriverResult cuModuleEnumerateFunctions(FunctionHandle* functions, unsigned count,
                                               ModuleHandle handle) {
  CALL("cuModuleEnumerateFunctions");
  auto* module = reinterpret_cast<Module*>(handle);
  const std::string& text = module->ptx;
  size_t at = text.find(".entry ");
  for (unsigned i = 0; i < count && at != std::string::npos; ++i, at = text.find(".entry ", at)) {
    at += std::strlen(".entry ");
    size_t end = at;
    while (end < text.size() && is_name(text[end])) ++end;
    const std::string name = text.substr(at, end - at);
    Function& entry = state().functions[{module, name}];
    entry = {name, module};
    functions[i] = reinterpret_cast<FunctionHandle>(&entry);
  }
  return 0;
}

EXPORT DriverResult cuFuncGetName(const char** name, FunctionHandle function) {
  CALL("cuFuncGetName");
  *name = reinterpret_cast<Function*>(function)->name.c_str();
  return 0;
}

EXPORT DriverResult cuFuncGetParamInfo(FunctionHandle function, size_t index, size_t* offset,
                                       size_t* bytes) {
  CALL("cuFuncGetParamInfo");
  std::string list;
  if (!parameters_of(*reinterpret_cast<Function*>(function), list)) return kInvalidValue;
  constexpr char kParam[] = ".param ";
  *offset = *bytes = 0;
  size_t at = list.find(kParam);
  for (size_t i = 0; at != std::string::npos; ++i, at = list.find(kParam, at + 1)) {
    *offset += *bytes;
    *bytes = bytes_of_type(list, at);
    *offset = (*offset + *bytes - 1) / *bytes * *bytes;
    if (i == index) return 0;
  }
  return kInvalidValue;
}

EXPORT DriverResult cuPointerGetAttribute(void* value, int attribute, DevicePointer) {
  CALL("cuPointerGetAttribute");
  if (attribute != kPointerIsManaged) return kInvalidValue;
  *static_cast<unsigned*>(value) = 0;
  return 0;
}

}  // namespace guda::backend::cuda::testing
