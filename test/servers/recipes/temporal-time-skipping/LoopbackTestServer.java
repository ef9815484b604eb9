import io.grpc.ServerBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.temporal.internal.testservice.GRPCServerHelper;
import io.temporal.internal.testservice.TestServicesStarter;
import java.net.InetAddress;
import java.net.InetSocketAddress;

/** The main class of the library listens at every address of the machine; this one at the loopback address only. Time is not skipped until a test says so. */
final class LoopbackTestServer {
  public static void main(String[] args) throws Exception {
    InetSocketAddress address = new InetSocketAddress(InetAddress.getByName("127.0.0.1"), Integer.parseInt(args[0]));
    ServerBuilder<?> builder = NettyServerBuilder.forAddress(address);
    GRPCServerHelper.registerServicesAndHealthChecks(new TestServicesStarter(true, 0).getServices(), builder);
    builder.build().start().awaitTermination();
  }
}
