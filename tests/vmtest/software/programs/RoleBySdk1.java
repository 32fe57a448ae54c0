// The AWS SDK for Java 1: the credentials of the instance's role.
import com.amazonaws.auth.InstanceProfileCredentialsProvider;

public final class RoleBySdk1 {
    public static void main(String[] args) throws Exception {
        new InstanceProfileCredentialsProvider(false).getCredentials();
        System.out.println("ready");
        System.in.read();
    }
}
