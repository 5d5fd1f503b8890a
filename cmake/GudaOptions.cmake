# Compiler settings shared by every target, and helpers to declare them.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/archive)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

find_program(GUDA_CCACHE ccache)
if(GUDA_CCACHE)
  # Another clone of the same sources finds what this one compiled.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}
      CCACHE_NOHASHDIR=1 ${GUDA_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()

# A toolkit that scripts/setup fetched is found by find_program(nvcc) like any other.
list(APPEND CMAKE_PROGRAM_PATH ${PROJECT_SOURCE_DIR}/build/cuda/bin)

# Everything that is compiled here is instrumented; a finding ends the process. LLVM is built without
# RTTI, so the vptr check is left out. g++'s flow warnings are unreliable in instrumented code.
set(GUDA_SANITIZE "" CACHE STRING
    "Sanitizers for all targets: address, undefined, thread or a list such as address,undefined")
set_property(CACHE GUDA_SANITIZE PROPERTY STRINGS "" "address,undefined" "thread")
if(GUDA_SANITIZE)
  add_compile_options(-fsanitize=${GUDA_SANITIZE} -fno-sanitize=vptr -fno-sanitize-recover=all
                      -fno-omit-frame-pointer -Wno-maybe-uninitialized)
  add_link_options(-fsanitize=${GUDA_SANITIZE})
  if(GUDA_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-tsan)  # fences: g++ 12 warns that they are not instrumented
  endif()
endif()

# -Wno-restrict: g++ 12 reports std::string concatenation (its bug 105651).
# guda_add_library(name sources...): a static part of libguda or libguda_compiler.
function(guda_add_library name)
  add_library(${name} STATIC ${ARGN})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
  target_compile_options(${name} PRIVATE -Wall -Wextra -Wpedantic -Werror -Wno-restrict)
endfunction()

# guda_use_llvm(name): compile against LLVM's headers (as system headers, without RTTI).
function(guda_use_llvm name)
  target_include_directories(${name} SYSTEM PUBLIC ${LLVM_INCLUDE_DIRS})
  separate_arguments(definitions NATIVE_COMMAND "${LLVM_DEFINITIONS}")
  target_compile_definitions(${name} PUBLIC ${definitions})
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fno-rtti>)
endfunction()

# guda_add_test(name SOURCES ... LIBRARIES ...): a GoogleTest executable registered with ctest.
function(guda_add_test name)
  if(NOT GUDA_BUILD_TESTS)
    return()
  endif()
  cmake_parse_arguments(arg "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_compile_options(${name} PRIVATE -Wall -Wextra -Werror -Wno-restrict)
  target_link_libraries(${name} PRIVATE ${arg_LIBRARIES} GTest::gtest GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name})
endfunction()
