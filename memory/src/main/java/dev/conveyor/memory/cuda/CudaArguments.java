package dev.conveyor.memory.cuda;

import org.bytedeco.cuda.cudart.CUevent_st;
import org.bytedeco.cuda.cudart.CUgraphExec_st;
import org.bytedeco.cuda.cudart.CUgraph_st;
import org.bytedeco.cuda.cudart.CUmemPoolHandle_st;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.javacpp.Pointer;

/**
 * The objects that the binding takes as arguments, to be pointed at what a call is about.
 * Thread-confined.
 */
final class CudaArguments {

  final StreamArgument stream = new StreamArgument();
  final EventArgument event = new EventArgument();
  final EventArgument otherEvent = new EventArgument();
  final PoolArgument pool = new PoolArgument();
  final GraphArgument graph = new GraphArgument();
  final ExecutableArgument executable = new ExecutableArgument();
  final Address to = new Address();
  final Address from = new Address();
  final float[] milliseconds = new float[1];

  static final class StreamArgument extends CUstream_st {
    StreamArgument() {
      super((Pointer) null);
    }

    StreamArgument at(long where) {
      address = where;
      return this;
    }
  }

  static final class EventArgument extends CUevent_st {
    EventArgument() {
      super((Pointer) null);
    }

    EventArgument at(long where) {
      address = where;
      return this;
    }
  }

  static final class PoolArgument extends CUmemPoolHandle_st {
    PoolArgument() {
      super((Pointer) null);
    }

    PoolArgument at(long where) {
      address = where;
      return this;
    }
  }

  static final class GraphArgument extends CUgraph_st {
    GraphArgument() {
      super((Pointer) null);
    }

    GraphArgument at(long where) {
      address = where;
      return this;
    }
  }

  static final class ExecutableArgument extends CUgraphExec_st {
    ExecutableArgument() {
      super((Pointer) null);
    }

    ExecutableArgument at(long where) {
      address = where;
      return this;
    }
  }

  static final class Address extends Pointer {
    Address at(long where) {
      address = where;
      return this;
    }
  }
}
