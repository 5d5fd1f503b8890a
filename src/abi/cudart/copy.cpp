// Copies and fills, linear, pitched, 3D, arrays, symbols.
#include "runtime/copy.h"

#include "abi/cudart/api.h"
#include "abi/cudart/copy_parameters.h"
#include "backends/cpu/executor.h"
#include "memory/array.h"
#include "runtime/registry.h"

#include <optional>

namespace guda::cudart {
namespace {

using runtime::CopyKind;
using runtime::CopyShape;
using runtime::CopySide;
using runtime::Stream;

enum class Wait { yes, no };

std::byte* bytes(const void* pointer) {
  return static_cast<std::byte*>(const_cast<void*>(pointer));
}

CopySide linear(const void* pointer, size_t width) { return {bytes(pointer), width, width}; }
CopySide pitched(const void* pointer, size_t pitch, size_t height) {
  return {bytes(pointer), pitch, pitch * height};
}

/// After a synchronous call, kernels' printf output is visible and errors are known.
Error after_wait(Wait wait) {
  if (wait == Wait::no) return kSuccess;
  cpu::flush_printf();
  Error error = runtime::Context::instance().sticky_error();
  return error ? fail(error) : kSuccess;
}

Error copy(void* handle, bool per_thread, CopySide to, CopySide from, CopyShape shape, int kind,
           Wait wait) {
  GUDA_ENTER();
  Stream* stream = runtime::StreamTable::instance().find(handle, per_thread);
  if (!stream) return invalid_handle();
  Status status =
      runtime::copy(*stream, to, from, shape, static_cast<CopyKind>(kind), wait == Wait::no);
  return status ? after_wait(wait) : finish(status);
}

Error fill(void* handle, bool per_thread, CopySide to, CopyShape shape, int value, Wait wait) {
  GUDA_ENTER();
  Stream* stream = runtime::StreamTable::instance().find(handle, per_thread);
  if (!stream) return invalid_handle();
  Status status =
      runtime::fill(*stream, to, shape, static_cast<uint32_t>(value) & 0xff, 1, wait == Wait::no);
  return status ? after_wait(wait) : finish(status);
}

Error copy_symbol(void* handle, bool per_thread, const void* symbol, const void* host, size_t count,
                  size_t offset, int kind, bool to_symbol, Wait wait) {
  GUDA_ENTER();
  bool allowed =
      kind == static_cast<int>(CopyKind::unspecified) ||
      kind == static_cast<int>(CopyKind::device_to_device) ||
      kind == static_cast<int>(to_symbol ? CopyKind::host_to_device : CopyKind::device_to_host);
  if (!allowed) return fail(runtime::kErrorInvalidMemcpyDirection);
  auto variable = runtime::Registry::instance().variable(symbol);
  if (!variable) return finish(variable.status());
  if (offset > variable->size || count > variable->size - offset) return invalid_value();
  CopySide device = linear(static_cast<std::byte*>(variable->address) + offset, count);
  CopySide other = linear(host, count);
  return copy(handle, per_thread, to_symbol ? device : other, to_symbol ? other : device,
              {count, 1, 1}, kind, wait);
}

/// Part of an array: x offset in bytes, y and z in rows and slices. Empty when it does not fit.
std::optional<CopySide> array_side(cudaArray_t handle, size_t x, size_t y, size_t z,
                                   const CopyShape& shape) {
  memory::Array* array = memory::find_array(handle);
  if (!array) return std::nullopt;
  size_t row = array->width * array->format.element_bytes();
  if (x > row || shape.width > row - x || y + shape.height > array->rows() ||
      z + shape.depth > array->slices()) {
    return std::nullopt;
  }
  return CopySide{array->data + z * array->slice + y * array->pitch + x, array->pitch,
                  array->slice};
}

/// cudaMemcpyToArray and its relatives run over rows: the first row starts at wOffset.
Error copy_linear_array(void* handle, bool per_thread, cudaArray_t array_handle, size_t x, size_t y,
                        void* pointer, size_t count, int kind, bool to_array, Wait wait) {
  memory::Array* array = memory::find_array(array_handle);
  if (!array) return invalid_value();
  size_t row = array->width * array->format.element_bytes();
  if (row == 0 || x >= row) return invalid_value();
  auto* memory = bytes(pointer);
  while (count > 0) {
    size_t part = std::min(count, row - x);
    size_t rows = x == 0 && count >= row ? count / row : 1;
    if (rows > 1) part = row;
    CopyShape shape{part, rows, 1};
    auto side = array_side(array_handle, x, y, 0, shape);
    if (!side) return invalid_value();
    CopySide other = pitched(memory, part, rows);
    if (Error error = copy(handle, per_thread, to_array ? *side : other, to_array ? other : *side,
                           shape, kind, wait)) {
      return error;
    }
    memory += part * rows;
    count -= part * rows;
    y += rows;
    x = 0;
  }
  return kSuccess;
}

/// Resolves cudaMemcpy3DParms. Extents and positions count elements when an array takes part, else bytes.
std::optional<Box> resolve(const cudaMemcpy3DParms& p) {
  memory::Array* source = p.srcArray ? memory::find_array(p.srcArray) : nullptr;
  memory::Array* target = p.dstArray ? memory::find_array(p.dstArray) : nullptr;
  if ((p.srcArray && !source) || (p.dstArray && !target)) return std::nullopt;
  if ((p.srcArray != nullptr) == (p.srcPtr.ptr != nullptr)) return std::nullopt;
  if ((p.dstArray != nullptr) == (p.dstPtr.ptr != nullptr)) return std::nullopt;
  size_t element = source   ? source->format.element_bytes()
                   : target ? target->format.element_bytes()
                            : 1;
  if (source && target && source->format.element_bytes() != target->format.element_bytes())
    return std::nullopt;
  Box box;
  box.shape = {p.extent.width * element, p.extent.height, p.extent.depth};
  if (box.shape.bytes() == 0) return box;
  auto pointer_side = [&](const cudaPitchedPtr& ptr, const cudaPos& pos) {
    size_t rows = ptr.ysize ? ptr.ysize : p.extent.height;
    return CopySide{bytes(ptr.ptr) + pos.z * ptr.pitch * rows + pos.y * ptr.pitch + pos.x,
                    ptr.pitch, ptr.pitch * rows};
  };
  if (source) {
    auto side = array_side(p.srcArray, p.srcPos.x * element, p.srcPos.y, p.srcPos.z, box.shape);
    if (!side) return std::nullopt;
    box.from = *side;
  } else {
    box.from = pointer_side(p.srcPtr, p.srcPos);
  }
  if (target) {
    auto side = array_side(p.dstArray, p.dstPos.x * element, p.dstPos.y, p.dstPos.z, box.shape);
    if (!side) return std::nullopt;
    box.to = *side;
  } else {
    box.to = pointer_side(p.dstPtr, p.dstPos);
  }
  return box;
}

}  // namespace

std::optional<Box> resolve_copy(const cudaMemcpy3DParms& parameters) { return resolve(parameters); }

namespace {

Error copy_3d(void* handle, bool per_thread, const cudaMemcpy3DParms* p, Wait wait) {
  GUDA_ENTER();
  if (!p) return invalid_value();
  auto box = resolve_copy(*p);
  if (!box) return invalid_value();
  return copy(handle, per_thread, box->to, box->from, box->shape, p->kind, wait);
}

Error copy_3d_peer(void* handle, bool per_thread, const cudaMemcpy3DPeerParms* p, Wait wait) {
  if (!p) return invalid_value();
  if (p->srcDevice != 0 || p->dstDevice != 0) return invalid_device();
  cudaMemcpy3DParms same{p->srcArray, p->srcPos, p->srcPtr, p->dstArray,
                         p->dstPos,   p->dstPtr, p->extent, 3};
  return copy_3d(handle, per_thread, &same, wait);
}

}  // namespace

#define COPY_PARAMETERS (void* to, const void* from, size_t count, int kind)
GUDA_API_PTDS(cudaMemcpy, COPY_PARAMETERS, (to, from, count, kind)) {
  return copy(nullptr, kPerThread, linear(to, count), linear(from, count), {count, 1, 1}, kind,
              Wait::yes);
}
GUDA_API_PTSZ(cudaMemcpyAsync,
              (void* to, const void* from, size_t count, int kind, cudaStream_t stream),
              (to, from, count, kind, stream)) {
  return copy(stream, kPerThread, linear(to, count), linear(from, count), {count, 1, 1}, kind,
              Wait::no);
}

GUDA_API(cudaMemcpyPeer)(void* to, int to_device, const void* from, int from_device, size_t count) {
  if (to_device != 0 || from_device != 0) return invalid_device();
  return copy(nullptr, false, linear(to, count), linear(from, count), {count, 1, 1}, 3, Wait::yes);
}
GUDA_API(cudaMemcpyPeerAsync)(void* to, int to_device, const void* from, int from_device,
                              size_t count, cudaStream_t stream) {
  if (to_device != 0 || from_device != 0) return invalid_device();
  return copy(stream, false, linear(to, count), linear(from, count), {count, 1, 1}, 3, Wait::no);
}

GUDA_API_PTDS(cudaMemcpy2D,
              (void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width,
               size_t height, int kind),
              (to, to_pitch, from, from_pitch, width, height, kind)) {
  return copy(nullptr, kPerThread, pitched(to, to_pitch, height), pitched(from, from_pitch, height),
              {width, height, 1}, kind, Wait::yes);
}
GUDA_API_PTSZ(cudaMemcpy2DAsync,
              (void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width,
               size_t height, int kind, cudaStream_t stream),
              (to, to_pitch, from, from_pitch, width, height, kind, stream)) {
  return copy(stream, kPerThread, pitched(to, to_pitch, height), pitched(from, from_pitch, height),
              {width, height, 1}, kind, Wait::no);
}

GUDA_API_PTDS(cudaMemcpy3D, (const cudaMemcpy3DParms* p), (p)) {
  return copy_3d(nullptr, kPerThread, p, Wait::yes);
}
GUDA_API_PTSZ(cudaMemcpy3DAsync, (const cudaMemcpy3DParms* p, cudaStream_t stream), (p, stream)) {
  return copy_3d(stream, kPerThread, p, Wait::no);
}
GUDA_API_PTDS(cudaMemcpy3DPeer, (const cudaMemcpy3DPeerParms* p), (p)) {
  return copy_3d_peer(nullptr, kPerThread, p, Wait::yes);
}
GUDA_API_PTSZ(cudaMemcpy3DPeerAsync, (const cudaMemcpy3DPeerParms* p, cudaStream_t stream),
              (p, stream)) {
  return copy_3d_peer(stream, kPerThread, p, Wait::no);
}

// Symbols ----------------------------------------------------------------------------------------------

GUDA_API_PTDS(cudaMemcpyToSymbol,
              (const void* symbol, const void* from, size_t count, size_t offset, int kind),
              (symbol, from, count, offset, kind)) {
  return copy_symbol(nullptr, kPerThread, symbol, from, count, offset, kind, true, Wait::yes);
}
GUDA_API_PTDS(cudaMemcpyFromSymbol,
              (void* to, const void* symbol, size_t count, size_t offset, int kind),
              (to, symbol, count, offset, kind)) {
  return copy_symbol(nullptr, kPerThread, symbol, to, count, offset, kind, false, Wait::yes);
}
GUDA_API_PTSZ(cudaMemcpyToSymbolAsync,
              (const void* symbol, const void* from, size_t count, size_t offset, int kind,
               cudaStream_t stream),
              (symbol, from, count, offset, kind, stream)) {
  return copy_symbol(stream, kPerThread, symbol, from, count, offset, kind, true, Wait::no);
}
GUDA_API_PTSZ(cudaMemcpyFromSymbolAsync,
              (void* to, const void* symbol, size_t count, size_t offset, int kind,
               cudaStream_t stream),
              (to, symbol, count, offset, kind, stream)) {
  return copy_symbol(stream, kPerThread, symbol, to, count, offset, kind, false, Wait::no);
}

// Arrays -----------------------------------------------------------------------------------------------

GUDA_API_PTDS(cudaMemcpy2DToArray,
              (cudaArray_t array, size_t x, size_t y, const void* from, size_t pitch, size_t width,
               size_t height, int kind),
              (array, x, y, from, pitch, width, height, kind)) {
  auto side = array_side(array, x, y, 0, {width, height, 1});
  if (!side) return invalid_value();
  return copy(nullptr, kPerThread, *side, pitched(from, pitch, height), {width, height, 1}, kind,
              Wait::yes);
}
GUDA_API_PTSZ(cudaMemcpy2DToArrayAsync,
              (cudaArray_t array, size_t x, size_t y, const void* from, size_t pitch, size_t width,
               size_t height, int kind, cudaStream_t stream),
              (array, x, y, from, pitch, width, height, kind, stream)) {
  auto side = array_side(array, x, y, 0, {width, height, 1});
  if (!side) return invalid_value();
  return copy(stream, kPerThread, *side, pitched(from, pitch, height), {width, height, 1}, kind,
              Wait::no);
}
GUDA_API_PTDS(cudaMemcpy2DFromArray,
              (void* to, size_t pitch, cudaArray_t array, size_t x, size_t y, size_t width,
               size_t height, int kind),
              (to, pitch, array, x, y, width, height, kind)) {
  auto side = array_side(array, x, y, 0, {width, height, 1});
  if (!side) return invalid_value();
  return copy(nullptr, kPerThread, pitched(to, pitch, height), *side, {width, height, 1}, kind,
              Wait::yes);
}
GUDA_API_PTSZ(cudaMemcpy2DFromArrayAsync,
              (void* to, size_t pitch, cudaArray_t array, size_t x, size_t y, size_t width,
               size_t height, int kind, cudaStream_t stream),
              (to, pitch, array, x, y, width, height, kind, stream)) {
  auto side = array_side(array, x, y, 0, {width, height, 1});
  if (!side) return invalid_value();
  return copy(stream, kPerThread, pitched(to, pitch, height), *side, {width, height, 1}, kind,
              Wait::no);
}
GUDA_API_PTDS(cudaMemcpy2DArrayToArray,
              (cudaArray_t to, size_t to_x, size_t to_y, cudaArray_t from, size_t from_x,
               size_t from_y, size_t width, size_t height, int kind),
              (to, to_x, to_y, from, from_x, from_y, width, height, kind)) {
  auto target = array_side(to, to_x, to_y, 0, {width, height, 1});
  auto source = array_side(from, from_x, from_y, 0, {width, height, 1});
  if (!target || !source) return invalid_value();
  return copy(nullptr, kPerThread, *target, *source, {width, height, 1}, kind, Wait::yes);
}
GUDA_API_PTDS(cudaMemcpyArrayToArray,
              (cudaArray_t to, size_t to_x, size_t to_y, cudaArray_t from, size_t from_x,
               size_t from_y, size_t count, int kind),
              (to, to_x, to_y, from, from_x, from_y, count, kind)) {
  auto target = array_side(to, to_x, to_y, 0, {count, 1, 1});
  auto source = array_side(from, from_x, from_y, 0, {count, 1, 1});
  if (!target || !source) return invalid_value();
  return copy(nullptr, kPerThread, *target, *source, {count, 1, 1}, kind, Wait::yes);
}
GUDA_API_PTDS(cudaMemcpyToArray,
              (cudaArray_t array, size_t x, size_t y, const void* from, size_t count, int kind),
              (array, x, y, from, count, kind)) {
  return copy_linear_array(nullptr, kPerThread, array, x, y, const_cast<void*>(from), count, kind,
                           true, Wait::yes);
}
GUDA_API_PTSZ(cudaMemcpyToArrayAsync,
              (cudaArray_t array, size_t x, size_t y, const void* from, size_t count, int kind,
               cudaStream_t stream),
              (array, x, y, from, count, kind, stream)) {
  return copy_linear_array(stream, kPerThread, array, x, y, const_cast<void*>(from), count, kind,
                           true, Wait::no);
}
GUDA_API_PTDS(cudaMemcpyFromArray,
              (void* to, cudaArray_t array, size_t x, size_t y, size_t count, int kind),
              (to, array, x, y, count, kind)) {
  return copy_linear_array(nullptr, kPerThread, array, x, y, to, count, kind, false, Wait::yes);
}
GUDA_API_PTSZ(cudaMemcpyFromArrayAsync,
              (void* to, cudaArray_t array, size_t x, size_t y, size_t count, int kind,
               cudaStream_t stream),
              (to, array, x, y, count, kind, stream)) {
  return copy_linear_array(stream, kPerThread, array, x, y, to, count, kind, false, Wait::no);
}

// Batches ----------------------------------------------------------------------------------------------

GUDA_API_PTSZ(cudaMemcpyBatchAsync,
              (void* const* to, const void* const* from, const size_t* sizes, size_t count,
               cudaMemcpyAttributes*, size_t*, size_t, cudaStream_t stream),
              (to, from, sizes, count, nullptr, nullptr, 0, stream)) {
  if (!to || !from || !sizes || count == 0) return invalid_value();
  for (size_t i = 0; i < count; ++i) {
    if (Error error = copy(stream, kPerThread, linear(to[i], sizes[i]), linear(from[i], sizes[i]),
                           {sizes[i], 1, 1}, 4, Wait::no)) {
      return error;
    }
  }
  return kSuccess;
}
GUDA_API_PTSZ(cudaMemcpyBatchAsync_v1,
              (void** to, void** from, size_t* sizes, size_t count, cudaMemcpyAttributes*, size_t*,
               size_t, size_t* failed, cudaStream_t stream),
              (to, from, sizes, count, nullptr, nullptr, 0, failed, stream)) {
  Error error =
      cudaMemcpyBatchAsync_body<kPerThread>(to, from, sizes, count, nullptr, nullptr, 0, stream);
  if (error != kSuccess && failed) *failed = ~size_t{0};
  return error;
}

namespace {

/// A batch operand as part of cudaMemcpy3DParms. Zero row length and layer height mean dense.
bool operand(const cudaMemcpy3DOperand& in, const cudaExtent& extent, cudaArray_t& array,
             cudaPos& pos, cudaPitchedPtr& ptr) {
  if (in.type == 2) {
    array = in.op.array.array;
    pos = in.op.array.offset;
    return true;
  }
  if (in.type != 1) return false;
  size_t row = in.op.ptr.rowLength ? in.op.ptr.rowLength : extent.width;
  size_t rows = in.op.ptr.layerHeight ? in.op.ptr.layerHeight : extent.height;
  ptr = {in.op.ptr.ptr, row, extent.width, rows};
  return true;
}

}  // namespace

GUDA_API_PTSZ(cudaMemcpy3DBatchAsync,
              (size_t count, cudaMemcpy3DBatchOp* operations, unsigned long long flags,
               cudaStream_t stream),
              (count, operations, flags, stream)) {
  if (!operations || count == 0 || flags != 0) return invalid_value();
  for (size_t i = 0; i < count; ++i) {
    const cudaMemcpy3DBatchOp& op = operations[i];
    cudaMemcpy3DParms p{};
    p.extent = op.extent;
    p.kind = 4;
    if (!operand(op.src, op.extent, p.srcArray, p.srcPos, p.srcPtr) ||
        !operand(op.dst, op.extent, p.dstArray, p.dstPos, p.dstPtr)) {
      return invalid_value();
    }
    if (Error error = copy_3d(stream, kPerThread, &p, Wait::no)) return error;
  }
  return kSuccess;
}
GUDA_API_PTSZ(cudaMemcpy3DBatchAsync_v1,
              (size_t count, cudaMemcpy3DBatchOp* operations, size_t* failed,
               unsigned long long flags, cudaStream_t stream),
              (count, operations, failed, flags, stream)) {
  Error error = cudaMemcpy3DBatchAsync_body<kPerThread>(count, operations, flags, stream);
  if (error != kSuccess && failed) *failed = ~size_t{0};
  return error;
}

// Fills ------------------------------------------------------------------------------------------------

GUDA_API_PTDS(cudaMemset, (void* to, int value, size_t count), (to, value, count)) {
  return fill(nullptr, kPerThread, linear(to, count), {count, 1, 1}, value, Wait::yes);
}
GUDA_API_PTSZ(cudaMemsetAsync, (void* to, int value, size_t count, cudaStream_t stream),
              (to, value, count, stream)) {
  return fill(stream, kPerThread, linear(to, count), {count, 1, 1}, value, Wait::no);
}
GUDA_API_PTDS(cudaMemset2D, (void* to, size_t pitch, int value, size_t width, size_t height),
              (to, pitch, value, width, height)) {
  return fill(nullptr, kPerThread, pitched(to, pitch, height), {width, height, 1}, value,
              Wait::yes);
}
GUDA_API_PTSZ(cudaMemset2DAsync,
              (void* to, size_t pitch, int value, size_t width, size_t height, cudaStream_t stream),
              (to, pitch, value, width, height, stream)) {
  return fill(stream, kPerThread, pitched(to, pitch, height), {width, height, 1}, value, Wait::no);
}
GUDA_API_PTDS(cudaMemset3D, (cudaPitchedPtr to, int value, cudaExtent extent),
              (to, value, extent)) {
  return fill(nullptr, kPerThread, pitched(to.ptr, to.pitch, to.ysize),
              {extent.width, extent.height, extent.depth}, value, Wait::yes);
}
GUDA_API_PTSZ(cudaMemset3DAsync,
              (cudaPitchedPtr to, int value, cudaExtent extent, cudaStream_t stream),
              (to, value, extent, stream)) {
  return fill(stream, kPerThread, pitched(to.ptr, to.pitch, to.ysize),
              {extent.width, extent.height, extent.depth}, value, Wait::no);
}

}  // namespace guda::cudart
