package dev.conveyor.verticles.grpc;

import com.google.protobuf.DescriptorProtos.DescriptorProto;
import com.google.protobuf.DescriptorProtos.FieldDescriptorProto;
import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.DescriptorProtos.MethodDescriptorProto;
import com.google.protobuf.Descriptors.DescriptorValidationException;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.Descriptors.ServiceDescriptor;
import dev.conveyor.models.InferenceException;
import io.vertx.grpc.common.GrpcMessage;
import io.vertx.grpc.common.GrpcMessageEncoder;
import io.vertx.grpc.common.ServiceMethod;
import io.vertx.grpc.common.ServiceName;
import io.vertx.grpc.reflection.v1.ServerReflectionProto;
import io.vertx.grpc.reflection.v1.ServerReflectionRequest;
import io.vertx.grpc.reflection.v1.ServerReflectionResponse;
import io.vertx.grpc.server.GrpcServerRequest;
import io.vertx.grpc.server.GrpcServerResponse;
import io.vertx.grpc.server.Service;
import java.util.ArrayList;
import java.util.List;

/**
 * Server reflection: {@code grpc.reflection.v1}, and {@code v1alpha} for tools that know no other;
 * on the wire both are the same.
 *
 * <p>The library's own service ends a stream with its first answer, while tools ask one question
 * after the other on one stream, and it does not know the messages of imported files.
 *
 * <p>Thread-safe once made: every call belongs to the event loop of its connection.
 */
final class GrpcReflection {

  private static final String V1 = "grpc.reflection.v1";
  private static final String V1_ALPHA = "grpc.reflection.v1alpha";
  private static final String SERVICE = "ServerReflection";
  private static final String METHOD = "ServerReflectionInfo";
  private static final int MAX_MESSAGE_BYTES = 64 << 10;

  private final ReflectionAnswers answers;
  private final MessageDecoder<ServerReflectionRequest> decoder =
      new MessageDecoder<>(ServerReflectionRequest.parser(), MAX_MESSAGE_BYTES);

  private GrpcReflection(ReflectionAnswers answers) {
    this.answers = answers;
  }

  /** Returns the services that describe {@code described} and themselves. */
  static List<Service> of(List<Service> described) {
    ServiceDescriptor v1 = ServerReflectionProto.getDescriptor().findServiceByName(SERVICE);
    ServiceDescriptor alpha = alpha();
    List<ServiceDescriptor> all = new ArrayList<>();
    described.forEach(service -> all.add(service.descriptor()));
    all.add(v1);
    all.add(alpha);
    GrpcReflection reflection = new GrpcReflection(new ReflectionAnswers(all));
    return List.of(reflection.service(V1, v1), reflection.service(V1_ALPHA, alpha));
  }

  private Service service(String packageName, ServiceDescriptor descriptor) {
    ServiceName name = ServiceName.create(packageName, SERVICE);
    ServiceMethod<ServerReflectionRequest, ServerReflectionResponse> method =
        ServiceMethod.server(name, METHOD, GrpcMessageEncoder.encoder(), decoder);
    return Service.service(name, descriptor)
        .bind(method, request -> new Call(request).start())
        .build();
  }

  /** The same messages under the older name. */
  private static ServiceDescriptor alpha() {
    FileDescriptorProto.Builder file =
        ServerReflectionProto.getDescriptor().toProto().toBuilder()
            .clearOptions()
            .setName("grpc/reflection/v1alpha/reflection.proto")
            .setPackage(V1_ALPHA);
    for (DescriptorProto.Builder message : file.getMessageTypeBuilderList()) {
      for (FieldDescriptorProto.Builder field : message.getFieldBuilderList()) {
        if (field.hasTypeName()) {
          field.setTypeName(renamed(field.getTypeName()));
        }
      }
    }
    MethodDescriptorProto.Builder method = file.getServiceBuilder(0).getMethodBuilder(0);
    method.setInputType(renamed(method.getInputType()));
    method.setOutputType(renamed(method.getOutputType()));
    try {
      return FileDescriptor.buildFrom(file.build(), new FileDescriptor[0])
          .findServiceByName(SERVICE);
    } catch (DescriptorValidationException e) {
      throw new IllegalStateException("reflection does not describe itself", e);
    }
  }

  private static String renamed(String type) {
    return type.replace("." + V1 + ".", "." + V1_ALPHA + ".");
  }

  /** One stream of questions. Not thread-safe: owned by the event loop of its connection. */
  private final class Call {

    private final GrpcServerRequest<ServerReflectionRequest, ServerReflectionResponse> request;
    private final GrpcServerResponse<ServerReflectionRequest, ServerReflectionResponse> response;
    private boolean done;

    Call(GrpcServerRequest<ServerReflectionRequest, ServerReflectionResponse> request) {
      this.request = request;
      this.response = request.response();
    }

    void start() {
      request.messageHandler(this::onMessage);
      request.endHandler(end -> onEnd());
      request.errorHandler(error -> done = true);
      request.exceptionHandler(lost -> done = true);
      response.exceptionHandler(lost -> done = true);
      response.drainHandler(drained -> request.resume());
      request.invalidMessageHandler(invalid -> fail(GrpcErrors.of(invalid, MAX_MESSAGE_BYTES)));
    }

    private void onMessage(GrpcMessage message) {
      if (done) {
        return;
      }
      try {
        response.write(answers.to(decoder.decode(message)));
      } catch (RuntimeException e) {
        fail(GrpcErrors.of(e));
        return;
      }
      if (response.writeQueueFull()) {
        request.pause();
      }
    }

    private void onEnd() {
      if (!done) {
        done = true;
        response.end();
      }
    }

    private void fail(InferenceException failure) {
      if (!done) {
        done = true;
        GrpcErrors.end(response, failure);
      }
    }
  }
}
