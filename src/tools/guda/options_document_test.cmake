# docs/options.md says what the option table says.
execute_process(COMMAND ${GUDA} options --markdown OUTPUT_VARIABLE printed RESULT_VARIABLE status)
file(READ ${DOCUMENT} written)
if(NOT status EQUAL 0 OR NOT printed STREQUAL written)
  message(FATAL_ERROR "${DOCUMENT} is stale: write it with guda options --markdown")
endif()
