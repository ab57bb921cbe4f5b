import java.nio.charset.StandardCharsets;
import java.util.Properties;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/** Reads a rendered file from stdin as Java does and prints each value, in order, in hex. */
class Reader {
    public static void main(String[] arguments) throws Exception {
        if (arguments[0].equals("xml")) {
            NodeList elements = DocumentBuilderFactory.newInstance().newDocumentBuilder()
                .parse(System.in).getElementsByTagName("e");
            for (int n = 0; n < elements.getLength(); n++) {
                Element element = (Element) elements.item(n);
                print(element.hasAttribute("a") ? element.getAttribute("a") : element.getTextContent());
            }
            return;
        }
        if (arguments[0].startsWith("each-")) {
            each(arguments[0].equals("each-key"));
            return;
        }
        Properties properties = new Properties();
        properties.load(System.in);
        String[] values = new String[properties.size()];
        for (String key : properties.stringPropertyNames()) {
            String value = properties.getProperty(key);
            if (arguments[0].equals("keys")) {
                // The key is "k<number>." and what was rendered, the value is the number.
                values[Integer.parseInt(value)] = key.substring(key.indexOf('.') + 1);
            } else {
                values[Integer.parseInt(key.substring(1))] = value;
            }
        }
        for (String value : values) print(value);
    }

    /** Several files, with a NUL between them: one line for each, with all its values. */
    static void each(boolean keys) throws Exception {
        String all = new String(System.in.readAllBytes(), StandardCharsets.ISO_8859_1);
        for (String file : all.split("\0", -1)) {
            StringBuilder line = new StringBuilder("=");
            try {
                Properties properties = new Properties();
                properties.load(new java.io.StringReader(file));
                for (String key : properties.stringPropertyNames()) {
                    line.append(" ").append(hex(
                        keys ? key.substring(key.indexOf('.') + 1) : properties.getProperty(key)));
                }
            } catch (IllegalArgumentException malformed) {
                line.append(" 00");
            }
            System.out.println(line);
        }
    }

    static void print(String value) {
        System.out.println(hex(value));
    }

    static String hex(String value) {
        StringBuilder hex = new StringBuilder();
        for (byte octet : value.getBytes(StandardCharsets.UTF_8)) hex.append(String.format("%02x", octet));
        return hex.toString();
    }
}
