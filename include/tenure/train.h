// Everything that training needs beside a Model.
#pragma once

#include <tenure/callbacks.h>
#include <tenure/losses.h>
#include <tenure/metrics.h>
#include <tenure/optimizers.h>
