// The AWS SDK for Java 2: the credentials of the instance's role.
import software.amazon.awssdk.auth.credentials.InstanceProfileCredentialsProvider;

public final class RoleBySdk2 {
    public static void main(String[] args) throws Exception {
        InstanceProfileCredentialsProvider.create().resolveCredentials();
        System.out.println("ready");
        System.in.read();
    }
}
