// Hadoop's S3A: the credentials of the instance's role, by the AWS SDK for Java 1.
import org.apache.hadoop.fs.s3a.SharedInstanceProfileCredentialsProvider;

public final class RoleByHadoop {
    public static void main(String[] args) throws Exception {
        SharedInstanceProfileCredentialsProvider.getInstance().getCredentials();
        System.out.println("ready");
        System.in.read();
    }
}
