import java.io.BufferedReader;
import java.io.File;
import java.io.FileInputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.security.Key;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.cert.Certificate;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/**
 * Uses keystores as programs do. Each line of stdin asks for one thing, each line of stdout answers:
 * `list TYPE FILE PASSWORD` or `tls KEYSTORE PASSWORD TRUSTSTORE PASSWORD`, with FILE and PASSWORD in
 * hex.
 */
class Keystores {
    static final Map<String, String> SIGNATURES =
        Map.of("RSA", "SHA256withRSA", "EC", "SHA256withECDSA", "EdDSA", "EdDSA");

    public static void main(String[] arguments) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = lines.readLine()) != null; ) {
            String[] words = line.split(" ");
            String answer;
            try {
                answer = words[0].equals("list")
                    ? list(words[1], text(words[2]), text(words[3]))
                    : tls(text(words[1]), text(words[2]), text(words[3]), text(words[4]));
            } catch (Exception error) {
                answer = "error " + error.getClass().getSimpleName();
            }
            System.out.println(answer);
        }
    }

    static String text(String hex) {
        return new String(HexFormat.of().parseHex(hex), StandardCharsets.UTF_8);
    }

    static KeyStore load(String type, String file, String password) throws Exception {
        KeyStore store = KeyStore.getInstance(type);
        try (InputStream content = new FileInputStream(file)) {
            store.load(content, password.toCharArray());
        }
        return store;
    }

    /** `ALIAS key CERTIFICATE,…` or `ALIAS trusted CERTIFICATE` each, in hex and with digests. */
    static String list(String type, String file, String password) throws Exception {
        KeyStore store = load(type, file, password);
        StringBuilder answer = new StringBuilder("entries");
        for (String alias : new TreeSet<>(Collections.list(store.aliases()))) {
            byte[] name = alias.getBytes(StandardCharsets.UTF_8);
            answer.append(' ').append(HexFormat.of().formatHex(name));
            List<Certificate> chain = List.of(store.getCertificate(alias));
            if (store.isKeyEntry(alias)) {
                chain = List.of(store.getCertificateChain(alias));
                Key key = store.getKey(alias, password.toCharArray());
                answer.append(signs((PrivateKey) key, chain.get(0)) ? " key " : " wrong ");
            } else {
                answer.append(store.isCertificateEntry(alias) ? " trusted " : " unknown ");
            }
            String separator = "";
            for (Certificate certificate : chain) {
                byte[] digest = MessageDigest.getInstance("SHA-256").digest(certificate.getEncoded());
                answer.append(separator).append(HexFormat.of().formatHex(digest));
                separator = ",";
            }
        }
        return answer.toString();
    }

    /** Whether what the key signs is verified by the certificate. */
    static boolean signs(PrivateKey key, Certificate certificate) throws Exception {
        Signature signature = Signature.getInstance(SIGNATURES.get(key.getAlgorithm()));
        signature.initSign(key);
        signature.update(new byte[1000]);
        byte[] signed = signature.sign();
        signature.initVerify(certificate.getPublicKey());
        signature.update(new byte[1000]);
        return signature.verify(signed);
    }

    /** A server with one store, a client that trusts the other: what the client has read. */
    static String tls(String own, String password, String trusted, String other) throws Exception {
        KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
        keys.init(
            KeyStore.getInstance(new File(own), password.toCharArray()), password.toCharArray());
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(KeyStore.getInstance(new File(trusted), other.toCharArray()));
        SSLContext server = SSLContext.getInstance("TLS");
        server.init(keys.getKeyManagers(), null, null);
        SSLContext client = SSLContext.getInstance("TLS");
        client.init(null, trust.getTrustManagers(), null);
        try (SSLServerSocket listener =
                (SSLServerSocket) server.getServerSocketFactory().createServerSocket(0)) {
            Thread serving = new Thread(() -> {
                try (SSLSocket socket = (SSLSocket) listener.accept()) {
                    socket.getOutputStream().write("hello over ".getBytes());
                    socket.getOutputStream().write(socket.getSession().getProtocol().getBytes());
                } catch (Exception error) {
                    // The client says what is wrong.
                }
            });
            serving.start();
            try (SSLSocket socket = (SSLSocket) client.getSocketFactory()
                    .createSocket("localhost", listener.getLocalPort())) {
                var parameters = socket.getSSLParameters();
                parameters.setEndpointIdentificationAlgorithm("HTTPS");
                socket.setSSLParameters(parameters);
                return new String(socket.getInputStream().readAllBytes());
            } finally {
                serving.join();
            }
        }
    }
}
