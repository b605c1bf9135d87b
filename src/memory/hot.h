// The attribute of what the hottest paths keep by thread.
#pragma once

// Small thread-local records of the hottest paths: read without a call also from the shared library. What carries it is some 300 bytes
// together, well within what the loader keeps for libraries that are opened late.
#define TENURE_HOT_TLS [[gnu::tls_model("initial-exec")]]
