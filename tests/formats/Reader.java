import java.io.InputStream;
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

    static void print(String value) {
        StringBuilder hex = new StringBuilder();
        for (byte octet : value.getBytes(StandardCharsets.UTF_8)) hex.append(String.format("%02x", octet));
        System.out.println(hex);
    }
}
