// .NET without an SDK: the name of the instance's role.
using System;
using System.IO;
using System.Net;

public static class Role {
    public static void Main() {
        var url = "http://169.254.169.254/latest/meta-data/iam/security-credentials/";
        var request = WebRequest.Create(url);
        using (var answer = request.GetResponse())
        using (var reader = new StreamReader(answer.GetResponseStream())) {
            reader.ReadToEnd();
        }
        Console.WriteLine("ready");
        Console.In.Read();
    }
}
