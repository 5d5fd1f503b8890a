#include <fmt/format.h>

#include <cstring>

#include "backends/opencl/state.h"

namespace guda::backend::opencl {

using driver::OpenclArgument;
using driver::OpenclKernel;

LoadedKernel::~LoadedKernel() {
  state_->api.clReleaseKernel(handle_);
  state_->api.clReleaseProgram(program_);
}

uint64_t LoadedKernel::parameter(const Launch& launch, uint32_t offset) const {
  uint64_t value = 0;
  if (offset < launch.params.size())
    std::memcpy(&value, launch.params.data() + offset,
                std::min<size_t>(sizeof value, launch.params.size() - offset));
  return value;
}

Status LoadedKernel::check_launch(const Launch& launch) const {
  if (launch.cooperative)
    return {StatusCode::not_supported, "OpenCL does not promise that all blocks run at once"};
  const Dim3& block = launch.block;
  if (block_.x && (block.x != block_.x || block.y != block_.y || block.z != block_.z))
    return {StatusCode::invalid_value,
            fmt::format("{} was loaded for other block dimensions", description_.name)};
  const size_t threads = static_cast<size_t>(block.x) * block.y * block.z;
  if (threads > max_threads_)
    return {StatusCode::launch_out_of_resources,
            fmt::format("{}: blocks of {} threads, the device can run {}", description_.name,
                        threads, max_threads_)};
  if (launch.params.size() < description_.param_bytes)
    return {StatusCode::invalid_value,
            fmt::format("{}: the parameter block has {} bytes of {}", description_.name,
                        launch.params.size(), description_.param_bytes)};
  return Status::ok();
}

Status LoadedKernel::set_arguments(const Launch& launch) const {
  const Api& api = state_->api;
  cl_uint index = 0;
  cl_int code = kSuccess;
  const auto set = [&](size_t size, const void* value) {
    const cl_int result = api.clSetKernelArg(handle_, index++, size, value);
    if (code == kSuccess) code = result;
  };
  const uint32_t numbers[] = {launch.first.x,
                              launch.first.y,
                              launch.first.z,
                              launch.grid.x,
                              launch.grid.y,
                              launch.grid.z,
                              launch.dynamic_shared_bytes};
  for (const uint32_t& number : numbers) set(sizeof number, &number);
  const size_t window =
      std::max<size_t>(16, description_.static_shared_bytes + size_t{launch.dynamic_shared_bytes});
  size_t local = window;
  set(window, nullptr);
  if (description_.uses_exchange) {
    const size_t exchange =
        OpenclKernel::exchange_bytes(launch.block.x * launch.block.y * launch.block.z);
    set(exchange, nullptr);
    local += exchange;
  }
  if (local > state_->local_memory)
    return {StatusCode::launch_out_of_resources,
            fmt::format("{}: {} bytes of shared memory, the device has {}", description_.name,
                        local, state_->local_memory)};

  std::vector<bool> found(description_.arguments.size());
  std::vector<bool> null(description_.arguments.size());
  for (size_t i = 0; i < description_.arguments.size(); ++i) {
    const OpenclArgument& argument = description_.arguments[i];
    const bool symbol = argument.kind == OpenclArgument::Kind::symbol;
    const uint64_t value = symbol ? symbols_[argument.offset] : parameter(launch, argument.offset);
    if (argument.kind == OpenclArgument::Kind::word || state_->shared_addresses) {
      set(sizeof value, &value);
      continue;
    }
    const BufferPart part = state_->buffers.find(value);
    found[i] = part.buffer != nullptr;
    null[i] = value == 0;
    if (found[i] && argument.escapes)
      return {StatusCode::not_supported,
              fmt::format("{}: it stores an address, which only this device would understand",
                          description_.name)};
    if (symbol && !found[i])
      return {StatusCode::invalid_value,
              fmt::format("{}: the variable {} is not in the device's memory", description_.name,
                          description_.symbols[argument.offset])};
    const uint64_t displacement = found[i] ? part.offset : value;
    set(sizeof part.buffer, found[i] ? &part.buffer : nullptr);
    set(sizeof displacement, &displacement);
  }
  if (code != kSuccess) return state_->check(code, "clSetKernelArg");
  for (const std::vector<uint32_t>& group : description_.address_groups) {
    const bool any = std::any_of(group.begin(), group.end(), [&](uint32_t i) { return found[i]; });
    const bool none = std::all_of(group.begin(), group.end(), [&](uint32_t i) { return null[i]; });
    if (!any && !none)
      return {StatusCode::not_supported,
              fmt::format("{}: the parameter at {} is no address in the device's memory",
                          description_.name, description_.arguments[group.front()].offset)};
  }
  return Status::ok();
}

Status LoadedKernel::enqueue(CommandQueue queue, const Launch& launch) const {
  if (Status status = check_launch(launch); !status) return status;
  if (launch.count.x == 0 || launch.count.y == 0 || launch.count.z == 0) return Status::ok();
  const std::lock_guard lock(mutex_);
  if (Status status = set_arguments(launch); !status) return status;
  const size_t local[] = {launch.block.x, launch.block.y, launch.block.z};
  const size_t global[] = {size_t{launch.count.x} * launch.block.x,
                           size_t{launch.count.y} * launch.block.y,
                           size_t{launch.count.z} * launch.block.z};
  return state_->check(state_->api.clEnqueueNDRangeKernel(queue, handle_, 3, nullptr, global, local,
                                                          0, nullptr, nullptr),
                       "clEnqueueNDRangeKernel");
}

}  // namespace guda::backend::opencl
