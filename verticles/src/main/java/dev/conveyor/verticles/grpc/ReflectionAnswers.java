package dev.conveyor.verticles.grpc;

import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.EnumDescriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.Descriptors.MethodDescriptor;
import com.google.protobuf.Descriptors.ServiceDescriptor;
import io.vertx.grpc.common.GrpcStatus;
import io.vertx.grpc.reflection.v1.ErrorResponse;
import io.vertx.grpc.reflection.v1.ExtensionNumberResponse;
import io.vertx.grpc.reflection.v1.FileDescriptorResponse;
import io.vertx.grpc.reflection.v1.ListServiceResponse;
import io.vertx.grpc.reflection.v1.ServerReflectionRequest;
import io.vertx.grpc.reflection.v1.ServerReflectionResponse;
import io.vertx.grpc.reflection.v1.ServiceResponse;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What the server's services, messages and files look like, by name. Immutable. */
final class ReflectionAnswers {

  private final List<ServiceDescriptor> services;
  private final Map<String, FileDescriptor> files = new HashMap<>();
  private final Map<String, FileDescriptor> symbols = new HashMap<>();

  ReflectionAnswers(List<ServiceDescriptor> services) {
    this.services = List.copyOf(services);
    services.forEach(service -> take(service.getFile()));
  }

  private void take(FileDescriptor file) {
    if (files.put(file.getName(), file) != null) {
      return;
    }
    file.getMessageTypes().forEach(this::take);
    file.getEnumTypes().forEach(this::take);
    for (ServiceDescriptor service : file.getServices()) {
      symbols.put(service.getFullName(), file);
      for (MethodDescriptor method : service.getMethods()) {
        symbols.put(method.getFullName(), file);
      }
    }
    file.getDependencies().forEach(this::take);
  }

  private void take(Descriptor message) {
    symbols.put(message.getFullName(), message.getFile());
    message.getNestedTypes().forEach(this::take);
    message.getEnumTypes().forEach(this::take);
  }

  private void take(EnumDescriptor type) {
    symbols.put(type.getFullName(), type.getFile());
  }

  /** Answers one question; what is unknown is an answer too, and the stream goes on. */
  ServerReflectionResponse to(ServerReflectionRequest request) {
    ServerReflectionResponse.Builder answer =
        ServerReflectionResponse.newBuilder()
            .setValidHost(request.getHost())
            .setOriginalRequest(request);
    switch (request.getMessageRequestCase()) {
      case LIST_SERVICES -> answer.setListServicesResponse(list());
      case FILE_BY_FILENAME ->
          file(answer, files.get(request.getFileByFilename()), request.getFileByFilename());
      case FILE_CONTAINING_SYMBOL ->
          file(
              answer,
              symbols.get(request.getFileContainingSymbol()),
              request.getFileContainingSymbol());
      case ALL_EXTENSION_NUMBERS_OF_TYPE -> extensions(answer, request);
      case FILE_CONTAINING_EXTENSION ->
          notFound(answer, request.getFileContainingExtension().getContainingType());
      case MESSAGEREQUEST_NOT_SET ->
          answer.setErrorResponse(error(GrpcStatus.INVALID_ARGUMENT, "the request asks nothing"));
    }
    return answer.build();
  }

  private ListServiceResponse list() {
    ListServiceResponse.Builder list = ListServiceResponse.newBuilder();
    for (ServiceDescriptor service : services) {
      list.addService(ServiceResponse.newBuilder().setName(service.getFullName()));
    }
    return list.build();
  }

  /** A file comes with all that it imports, itself first, so that no tool has to ask again. */
  private static void file(
      ServerReflectionResponse.Builder answer, @Nullable FileDescriptor file, String asked) {
    if (file == null) {
      notFound(answer, asked);
      return;
    }
    Set<FileDescriptor> closure = new LinkedHashSet<>();
    collect(file, closure);
    FileDescriptorResponse.Builder response = FileDescriptorResponse.newBuilder();
    closure.forEach(each -> response.addFileDescriptorProto(each.toProto().toByteString()));
    answer.setFileDescriptorResponse(response);
  }

  private static void collect(FileDescriptor file, Set<FileDescriptor> closure) {
    if (closure.add(file)) {
      file.getDependencies().forEach(imported -> collect(imported, closure));
    }
  }

  /** The protocol is proto3: its messages have no extensions. */
  private void extensions(
      ServerReflectionResponse.Builder answer, ServerReflectionRequest request) {
    String type = request.getAllExtensionNumbersOfType();
    if (symbols.containsKey(type)) {
      answer.setAllExtensionNumbersResponse(
          ExtensionNumberResponse.newBuilder().setBaseTypeName(type));
    } else {
      notFound(answer, type);
    }
  }

  private static void notFound(ServerReflectionResponse.Builder answer, String asked) {
    answer.setErrorResponse(error(GrpcStatus.NOT_FOUND, "not found: " + asked));
  }

  private static ErrorResponse error(GrpcStatus status, String message) {
    return ErrorResponse.newBuilder().setErrorCode(status.code).setErrorMessage(message).build();
  }
}
