# Runs the same random kernels with both tiers and compares what they print.
foreach(tier IN ITEMS auto c)
  execute_process(
    COMMAND ${CMAKE_COMMAND} -E env GUDA_TIER=${tier} GUDA_CACHE_DIR=${CACHE}_${tier}
            ${PROGRAM} ${FIRST} ${COUNT}
    OUTPUT_VARIABLE output_${tier} RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "GUDA_TIER=${tier}: exit code ${result}\n${output_${tier}}")
  endif()
endforeach()
if(output_auto MATCHES "error" OR NOT output_auto STREQUAL output_c)
  message(FATAL_ERROR "auto:\n${output_auto}\nc:\n${output_c}")
endif()
