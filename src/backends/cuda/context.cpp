#include "backends/cuda/context.h"

#include "support/log.h"

namespace guda::backend::cuda {
namespace {

/// Errors that end a context (CUDA Driver API, CUresult: "the context is in an inconsistent state").
bool ends_context(DriverResult code) {
  switch (static_cast<StatusCode>(code)) {
    case StatusCode::ecc_uncorrectable:
    case StatusCode::illegal_address:
    case StatusCode::launch_timeout:
    case StatusCode::context_is_destroyed:
    case StatusCode::device_assert:
    case StatusCode::hardware_stack_error:
    case StatusCode::illegal_instruction:
    case StatusCode::misaligned_address:
    case StatusCode::invalid_address_space:
    case StatusCode::invalid_pc:
    case StatusCode::launch_failed:
    case StatusCode::deinitialized:
    case StatusCode::no_device:
    case StatusCode::invalid_context:
    case StatusCode::unknown: return true;
    default:
      return code == 46 || code == 721 || code == 220;  // device unavailable, tensor leak, NVLink
  }
}

}  // namespace

Result<std::shared_ptr<Context>> Context::create(std::shared_ptr<Driver> driver, int device) {
  std::shared_ptr<Context> context(new Context(std::move(driver), device));
  const DriverApi& api = context->api();
  // Waiting as the driver does it for any program: on an H200 sleeping cost 35 us for each wait.
  if (DriverResult code = api.context_retain(&context->handle_, device); code != 0) {
    context->handle_ = nullptr;
    return context->driver_->failure(code, "cuDevicePrimaryCtxRetain");
  }
  return context;
}

Context::~Context() {
  if (handle_ == nullptr) return;
  enter();
  for (const auto& events : free_events_)
    for (EventHandle event : events) (void)api().event_destroy(event);
  (void)api().context_set_current(nullptr);
  entered_ = nullptr;
  (void)api().context_release(device_);
}

Status Context::check(DriverResult code, const char* what) {
  if (code == 0) return Status::ok();
  Status status = driver_->failure(code, what);
  if (ends_context(code) && !lost_.exchange(true))
    log(LogPart::runtime, LogLevel::info, "cuda:{} can no longer be used: {}", device_,
        status.message());
  return status;
}

Result<EventHandle> Context::take_event(EventKind kind) {
  {
    std::unique_lock lock(mutex_);
    auto& free = free_events_[static_cast<size_t>(kind)];
    if (!free.empty()) {
      EventHandle event = free.back();
      free.pop_back();
      return event;
    }
  }
  EventHandle event = nullptr;
  const unsigned flags = kind == EventKind::order ? kEventDisableTiming : 0;
  Status status = check(api().event_create(&event, flags), "cuEventCreate");
  if (!status) return status;
  return event;
}

void Context::give_event(EventHandle event, EventKind kind) {
  std::unique_lock lock(mutex_);
  free_events_[static_cast<size_t>(kind)].push_back(event);
}

}  // namespace guda::backend::cuda
