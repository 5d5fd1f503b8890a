// Attributes of descriptors: numbered fields that are set and read as bytes.
#pragma once

#include "abi/cublas/lt/descriptors.h"

#include <cstring>
#include <span>

namespace guda::cublas::lt {

struct Attribute {
  int id;
  size_t offset;
  size_t stored;  // bytes in the structure: the low ones of
  size_t size;    // bytes as the program sees it
};

#define GUDA_LT_ATTRIBUTE(id, structure, field) \
  Attribute { id, offsetof(structure, field), sizeof(structure::field), sizeof(structure::field) }
#define GUDA_LT_SMALL_ATTRIBUTE(id, structure, field) \
  Attribute{id, offsetof(structure, field), sizeof(structure::field), 4}

/// The attributes of the structure's type (descriptors.cpp).
std::span<const Attribute> attributes_of(const Layout& layout);
std::span<const Attribute> attributes_of(const MatmulDescriptor& operation);
std::span<const Attribute> attributes_of(const TransformDescriptor& operation);

inline const Attribute* find_attribute(std::span<const Attribute> table, int id) {
  for (auto& attribute : table) {
    if (attribute.id == id) return &attribute;
  }
  return nullptr;
}

inline Result set_attribute(void* structure, std::span<const Attribute> table, int id,
                            const void* value, size_t size) {
  const Attribute* attribute = find_attribute(table, id);
  if (!structure || !attribute || !value || size != attribute->size) return kInvalidValue;
  std::memcpy(static_cast<std::byte*>(structure) + attribute->offset, value, attribute->stored);
  return kSuccess;
}

/// With size 0 only tells how many bytes there are.
inline Result get_attribute(const void* structure, std::span<const Attribute> table, int id,
                            void* value, size_t size, size_t* written) {
  const Attribute* attribute = find_attribute(table, id);
  if (!structure || !attribute) return kInvalidValue;
  if (size == 0) {
    if (!written) return kInvalidValue;
    *written = attribute->size;
    return kSuccess;
  }
  if (!value || size != attribute->size) return kInvalidValue;
  std::memset(value, 0, size);
  std::memcpy(value, static_cast<const std::byte*>(structure) + attribute->offset,
              attribute->stored);
  if (written) *written = size;
  return kSuccess;
}

}  // namespace guda::cublas::lt
