// All of Tenure's public interface.
#pragma once

#include <tenure/arrays.h>
#include <tenure/attention.h>
#include <tenure/callbacks.h>
#include <tenure/convolution.h>
#include <tenure/data.h>
#include <tenure/dtype.h>
#include <tenure/error.h>
#include <tenure/function.h>
#include <tenure/initializers.h>
#include <tenure/layer.h>
#include <tenure/layers.h>
#include <tenure/losses.h>
#include <tenure/memory.h>
#include <tenure/metrics.h>
#include <tenure/model.h>
#include <tenure/op.h>
#include <tenure/ops.h>
#include <tenure/optimizers.h>
#include <tenure/recurrent.h>
#include <tenure/saving.h>
#include <tenure/tape.h>
#include <tenure/tensor.h>
#include <tenure/train.h>
#include <tenure/variable.h>
#include <tenure/version.h>
